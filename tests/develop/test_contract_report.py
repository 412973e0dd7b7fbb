"""`kmcp-suite test`: what breaks the contract is found, in a foreign server too, and reported in three forms."""

import json
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree  # what is parsed was written by us

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kmcp_develop.cli.test import test as contract
from kmcp_develop.contract.report import RULES, Finding, Report, junit
from kmcp_develop.contract.rules import check_list
from tests.installed import program
from tests.slowness import scaled

PROGRAMS = Path(__file__).parent / "programs"
CARELESS = f"{sys.executable} {PROGRAMS / 'careless.py'}"
WAIT = ["--timeout", str(scaled(60))]


def test_every_fault_of_a_careless_server_is_found(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert contract(["--stdio", CARELESS, "--format", "json", *WAIT]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["revisions"] == ["2026-07-28", "2025-11-25"]
    found = {(each["rule"], each["tool"]): each["text"] for each in report["findings"]}
    assert "which converters turn into a number" in found["portability", "tell"]
    assert "both true" in found["hints", "tell"]
    assert "says too little" in found["descriptions", "tell"] or "no description" in found["descriptions", "tell"]
    assert "models refuse it" in found["names", "has spaces"]
    assert "it has no description" in str(report["findings"])
    leaks = [each["text"] for each in report["findings"] if each["rule"] == "leaks"]
    assert any("secret of its environment" in text for text in leaks)
    assert any("how the server is made" in text for text in leaks)
    assert "ran although nobody may call it" not in str(report)
    file = tmp_path / "report.xml"
    assert contract(["--stdio", CARELESS, "--format", "junit", "--output", str(file), *WAIT]) == 1
    suite = ElementTree.fromstring(file.read_text())
    assert (suite.get("tests"), int(suite.get("failures") or 0) >= 3) == (str(len(RULES)), True)


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["--stdio", "/no/such/program"], "/no/such/program"),
        (["--stdio", f"{sys.executable} -c 'raise SystemExit(\"no key\")'"], "no key"),
        (["http://127.0.0.1:9/mcp"], "http://127.0.0.1:9/mcp"),
        (["nothing-here"], "is neither a project, nor a manifest, nor a URL"),
        (["--stdio", ""], "give the command"),
        (["http://127.0.0.1:9/mcp", "--header", "X"], "write it as NAME: VALUE"),
    ],
)
def test_what_cannot_be_asked_is_told_apart_from_faults(
    argv: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert contract([*argv, *WAIT]) == 2
    assert told in capsys.readouterr().err


def test_a_manifest_of_a_stdio_server_is_started_as_it_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = {
        "apiVersion": "kagent.dev/v1alpha1",
        "kind": "MCPServer",
        "metadata": {"name": "clock"},
        "spec": {
            "transportType": "stdio",
            "deployment": {
                "image": "localhost/clock:1",
                "cmd": program("kmcp-clock"),
                "args": ["--transport", "stdio"],
            },
        },
    }
    file = tmp_path / "clock.json"
    file.write_text(json.dumps(body))
    assert contract([str(file), "--strict", *WAIT]) == 0, capsys.readouterr()
    assert "clock: 1 tool," in capsys.readouterr().out
    body["spec"] = {"transportType": "http", "deployment": {"image": "example.com/clock:1", "port": 1}}
    file.write_text(json.dumps(body))
    assert contract([str(file)]) == 2
    assert "an image runs in a cluster only" in capsys.readouterr().err


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)
TOOLS = st.lists(
    st.fixed_dictionaries(
        {"name": st.text(max_size=70)},
        optional={
            "description": st.none() | st.text(),
            "inputSchema": JSON | st.fixed_dictionaries({"type": st.just("object"), "properties": JSON}),
            "outputSchema": JSON,
            "annotations": st.none() | st.dictionaries(st.sampled_from(["readOnlyHint", "destructiveHint"]), JSON),
        },
    ),
    max_size=4,
)


@given(TOOLS)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_no_list_of_a_foreign_server_ends_the_report(tools: list[dict[str, Any]]) -> None:
    report = Report("foreign", findings=list(check_list(tools, 150)))
    assert all(each.rule in RULES for each in report.findings)
    ElementTree.fromstring(junit(report, strict=True))


def test_strict_makes_errors_of_warnings() -> None:
    report = Report("s", findings=[Finding("hints", "warning", "x")])
    assert (report.failed(strict=False), report.failed(strict=True)) == (False, True)
