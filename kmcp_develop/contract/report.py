"""What was found, as text, JSON and JUnit."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal
from xml.etree import ElementTree

from kmcp_runtime.counting import counted

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """`rule` is one of RULES; `tool` is empty where it is about the server."""

    rule: str
    severity: Severity
    text: str
    tool: str = ""


RULES = {
    "connects": "It answers the handshake and lists its tools, in each revision that it speaks",
    "names": "Names are unique and fit the protocol and the models",
    "descriptions": "A model reads what a tool and each argument is for",
    "schemas": "Schemas of arguments and results are valid and strict",
    "portability": "Schemas use what every framework converts",
    "hints": "Hints say what a tool does to the world, and agree with each other",
    "budget": "What a model reads of a tool stays within the budget",
    "errors": "A wrong call is answered with a failure, and the server lives on",
    "results": "Results are what the output schema says",
    "leaks": "No secret, path or trace leaves with lists and answers",
}


@dataclass
class Report:
    server: str
    revisions: list[str] = field(default_factory=list)
    tools: int = 0
    tokens: int = 0
    findings: list[Finding] = field(default_factory=list)

    def failed(self, strict: bool) -> bool:
        return any(strict or each.severity == "error" for each in self.findings)

    def of(self, rule: str) -> list[Finding]:
        return [each for each in self.findings if each.rule == rule]


def text(report: Report) -> str:
    average = report.tokens / report.tools if report.tools else 0
    lines = [
        f"{report.server}: {counted(report.tools, 'tool')}, {report.tokens} tokens ({average:.0f} a tool), "
        f"revisions {', '.join(report.revisions) or 'none'}"
    ]
    for rule, about in RULES.items():
        found = report.of(rule)
        errors = sum(each.severity == "error" for each in found)
        state = "FAIL" if errors else "warn" if found else "ok"
        lines.append(f"{state:4}  {rule:12} {about}")
        lines += [f"      {each.severity}: {f'{each.tool}: ' if each.tool else ''}{each.text}" for each in found]
    return "\n".join(lines)


def as_json(report: Report) -> str:
    return json.dumps(asdict(report), indent=2, ensure_ascii=False)


def junit(report: Report, strict: bool) -> str:
    """A case for each rule; what only warns is in its output."""
    suite = ElementTree.Element("testsuite", name=report.server, tests=str(len(RULES)))
    failed = 0
    for rule, about in RULES.items():
        case = ElementTree.SubElement(suite, "testcase", classname="contract", name=f"{rule}: {about}")
        fatal = [each for each in report.of(rule) if strict or each.severity == "error"]
        if fatal:
            failed += 1
            ElementTree.SubElement(case, "failure", message=f"{len(fatal)} faults").text = _plain(fatal)
        if mild := [each for each in report.of(rule) if each not in fatal]:
            ElementTree.SubElement(case, "system-out").text = _plain(mild)
    suite.set("failures", str(failed))
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)


def _plain(findings: Sequence[Finding]) -> str:
    lines = "\n".join(f"{each.severity}: {each.tool}: {each.text}" for each in findings)
    # XML has no place for control characters, and a foreign server may send any.
    return "".join(letter for letter in lines if letter >= " " or letter in "\n\t")
