"""What the helm binary reports, as failures that a caller can act on; its own message is always included."""

import re
from dataclasses import dataclass

from kmcp_runtime import command
from kmcp_runtime.errors import Code, ToolFailure
from kmcp_runtime.hints import Shows, by_tool

BACKEND = "helm"
OWNERSHIP = "another release or person owns that object: choose another release name, or hand it over to this one"
_LONGEST = 3_000
_DEBUG = re.compile(r"^(?:\w+\.go:\d+: |time=\S+ level=|level=[A-Z]+ )")
# `helm.go` only repeats the error that helm prints anyway.
_STEP = re.compile(r"^(?:(?!helm\.go)\w+\.go:\d+: .*?\[debug\] |(?:time=\S+ )?level=[A-Z]+ msg=)(?P<step>.+)$")
_UNREAD = re.compile(r"Unable to get an update from [^\n]*\n\s*([^\n]+)")
# Helm's own warnings, and those of the API server, which client-go logs as `W0102 … warnings.go:70]`.
_WARNING = re.compile(r"^(?:WARNING: |W\d{4} \S+ +\d+ \S+\] |(?:time=\S+ )?level=WARN msg=)(.+)$", re.MULTILINE)
# Debug lines with a failure that helm ignores, or whose cause it leaves out of its error.
_SILENT = r"failed to (?:store|record|delete|update release)|unable to get (?:obj|annot)"
_UNREPORTED = re.compile(rf"^\w+\.go:\d+: .*?\[debug\] (.*?(?:{_SILENT}).*)$", re.MULTILINE | re.IGNORECASE)
_OF_NO_INTEREST = re.compile(
    r"CHART PATH|Original chart|getting history|Error received|Retry|Ignoring delete failure", re.I
)


@dataclass(frozen=True)
class Rule:
    """A pattern of helm's error messages, the kind of failure that it means, and the next step."""

    pattern: re.Pattern[str]
    code: Code
    hint: str | None
    shows: Shows | None = None
    by_tool: str = ""
    """What the tool for `shows` does about it, where the caller's server has one."""

    def full_hint(self) -> str | None:
        shown = by_tool(self.shows, self.by_tool) if self.shows else None
        return "; ".join(filter(None, (self.hint, shown))) or None


def _rule(pattern: str, code: Code, hint: str | None, shows: Shows | None = None, by_tool: str = "") -> Rule:
    return Rule(re.compile(pattern, re.IGNORECASE | re.DOTALL), code, hint, shows, by_tool)


# The first match counts: the message of one cause can contain the words of another.
RULES = (
    _rule(r"failed parsing --set data", "bad_argument", r"set: write a=1,b.c=two,list={x,y}, or \, for a comma"),
    _rule(r"kubernetes cluster unreachable", "unavailable", "check that the cluster is up and KUBECONFIG names it"),
    _rule(r"is forbidden: User|forbidden: User|cannot \w+ resource", "forbidden", None, "rights", "shows the rights"),
    _rule(r"Unauthorized|must be logged in", "forbidden", "the credentials were refused: renew them (KUBECONFIG)"),
    _rule(
        r"another operation \(install/upgrade/rollback\) is in progress",
        "conflict",
        "a rollback to the last deployed revision is the way out",
        "revisions",
        "shows since when",
    ),
    _rule(r"has no deployed releases", "not_found", "install=true installs it"),
    _rule(r"release: not found|Release not loaded", "not_found", None, "releases", "lists them"),
    _rule(r"cannot re-use a name that is still in use", "conflict", None, "releases", "all=true shows it"),
    _rule(
        r"invalid ownership metadata|cannot be imported into the current release|cannot be owned",
        "conflict",
        OWNERSHIP,
    ),
    _rule(
        r"don't meet the specifications of the schema|values don't meet",
        "bad_argument",
        None,
        "charts",
        "what=values shows what the chart accepts",
    ),
    _rule(
        r"template: |parse error (?:in|at) \(|execution error (?:in|at) \(|YAML parse error on|error calling \w+",
        "bad_argument",
        "the message names the place in the chart",
        "charts",
        "what=template renders it with other values",
    ),
    _rule(
        r"is not a valid chart repository|could not find protocol handler|cannot be reached|Failed to update",
        "unavailable",
        "check the URL: its index.yaml must be there",
    ),
    _rule(
        r"no chart version found|chart .* not found in|no chart name found|: not found$|failed to fetch .* : 404",
        "not_found",
        "check the chart's name and version",
        "repository_updates",
        "refreshes the index of each repository",
    ),
    _rule(
        r"repo \S+ not found|no repositories", "denied", None, "repositories", "adds a repository on an allowed host"
    ),
    _rule(r"requires kubeVersion", "bad_argument", "choose a version of the chart that supports this cluster"),
    _rule(r"namespaces .* not found", "not_found", "create_namespace=true creates it, together with install=true"),
    _rule(r"no matches for kind", "bad_argument", "the chart needs kinds that the cluster does not have: install them"),
    _rule(r"is invalid:|ValidationError|unknown field|strict decoding", "bad_argument", "change the values"),
    _rule(
        r"timed out waiting|context deadline exceeded|not ready\. status|DeadlineExceeded",
        "timed_out",
        "a longer timeout_seconds may be enough",
        "object",
        "explains what is not ready",
    ),
    _rule(
        r"no such host|connection refused|i/o timeout|dial tcp|TLS handshake|certificate|EOF|unexpected status",
        "unavailable",
        "check that the host of the chart answers",
    ),
    _rule(
        r"release has no \d+ version|Release name is invalid", "bad_argument", None, "revisions", "lists the revisions"
    ),
    _rule(r"already exists", "conflict", "change the name, or replace what is there"),
)


def failure(ended: command.Ended) -> ToolFailure:
    """Why it failed."""
    message = error_text(ended.stderr) or f"helm ended with {command.ended(ended.code)}"
    unreported = [cause for cause in _UNREPORTED.findall(ended.stderr) if cause not in message]
    message = "; ".join([message, *unreported])[:_LONGEST]
    unread = _UNREAD.search(ended.stdout)
    if unread:  # When a repository cannot be read, helm prints the cause on stdout only.
        message += f": {' '.join(unread[1].split())}"
    rule = next((rule for rule in RULES if rule.pattern.search(message)), None)
    # An error that no rule knows comes from the state of the cluster or the release, not from the call.
    code: Code = rule.code if rule else "conflict"
    return ToolFailure(code, message, rule.full_hint() if rule else None, backend=BACKEND)


def error_text(stderr: str) -> str:
    """The error itself, without debug lines, stack traces and the word Error."""
    lines = stderr.split("\n")
    start = next((number for number, line in enumerate(lines) if line.startswith("Error: ")), None)
    if start is None:
        # A crash or a signal leaves no `Error:` line: the end of the output is the best there is.
        kept = [line for line in lines if line.strip() and not _DEBUG.match(line)]
        return "\n".join(kept[-5:])[:_LONGEST]
    kept = []
    for line in lines[start:]:
        if _DEBUG.match(line):
            break
        kept.append(line)
    return "\n".join(kept).removeprefix("Error: ").strip()[:_LONGEST]


def step(line: str) -> str | None:
    """The step that a line of helm's debug output reports; None for lines that help nobody."""
    found = _STEP.match(line)
    if found is None or _OF_NO_INTEREST.search(found["step"]):
        return None
    return found["step"].strip()


def warnings(stderr: str) -> list[str]:
    """The warnings of a successful run, each once."""
    return list(dict.fromkeys([*_WARNING.findall(stderr), *_UNREPORTED.findall(stderr)]))
