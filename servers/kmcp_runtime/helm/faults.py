"""What the helm binary says, as failures that a caller can act on; its own words always arrive."""

import re
from dataclasses import dataclass

from kmcp_runtime import command
from kmcp_runtime.errors import Code, ToolFailure
from kmcp_runtime.hints import Shows, by_tool

BACKEND = "helm"
_LONGEST = 3_000
_DEBUG = re.compile(r"^(?:\w+\.go:\d+: |time=\S+ level=|level=[A-Z]+ )")
# `helm.go` repeats the error itself.
_STEP = re.compile(r"^(?:(?!helm\.go)\w+\.go:\d+: .*?\[debug\] |(?:time=\S+ )?level=[A-Z]+ msg=)(?P<step>.+)$")
_UNREAD = re.compile(r"Unable to get an update from [^\n]*\n\s*([^\n]+)")
# Helm's own, and those that the API server sends along.
_WARNING = re.compile(r"^(?:WARNING: |W\d{4} \S+ +\d+ \S+\] |(?:time=\S+ )?level=WARN msg=)(.+)$", re.MULTILINE)
# What went wrong on the way and is no error to helm, or an error of which it does not tell the cause.
_SILENT = r"failed to (?:store|record|delete|update release)|unable to get (?:obj|annot)"
_UNTOLD = re.compile(rf"^\w+\.go:\d+: .*?\[debug\] (.*?(?:{_SILENT}).*)$", re.MULTILINE | re.IGNORECASE)
_OF_NO_INTEREST = re.compile(
    r"CHART PATH|Original chart|getting history|Error received|Retry|Ignoring delete failure", re.I
)


@dataclass(frozen=True)
class Rule:
    """What helm says when something is wrong, what that is, and the next step."""

    pattern: re.Pattern[str]
    code: Code
    hint: str | None
    shows: Shows | None = None
    by_tool: str = ""
    """What the tool for `shows` does about it, where the caller's server has one."""

    def told(self) -> str | None:
        shown = by_tool(self.shows, self.by_tool) if self.shows else None
        return "; ".join(filter(None, (self.hint, shown))) or None


def _rule(pattern: str, code: Code, hint: str | None, shows: Shows | None = None, by_tool: str = "") -> Rule:
    return Rule(re.compile(pattern, re.IGNORECASE | re.DOTALL), code, hint, shows, by_tool)


# The first that matches counts: the words of one cause can appear within another.
RULES = (
    _rule(r"kubernetes cluster unreachable", "unavailable", "check that the cluster is up and KUBECONFIG names it"),
    _rule(r"is forbidden: User|forbidden: User|cannot \w+ resource", "forbidden", None, "rights", "shows the rights"),
    _rule(r"Unauthorized|must be logged in", "forbidden", "the credentials were not accepted: renew them (KUBECONFIG)"),
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
        "another release or person owns that object: take another release name, or give the object to this one",
    ),
    _rule(
        r"don't meet the specifications of the schema|values don't meet",
        "bad_argument",
        None,
        "charts",
        "what=values shows what the chart takes",
    ),
    _rule(
        r"template: |parse error (?:in|at) \(|execution error (?:in|at) \(|YAML parse error on|error calling \w+",
        "bad_argument",
        "the place in the chart is named",
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
        "refreshes what is known of repositories",
    ),
    _rule(
        r"repo \S+ not found|no repositories", "denied", None, "repositories", "adds a repository of an allowed host"
    ),
    _rule(r"requires kubeVersion", "bad_argument", "take a version of the chart that fits the cluster"),
    _rule(r"namespaces .* not found", "not_found", "create_namespace=true makes it, together with install=true"),
    _rule(r"no matches for kind", "bad_argument", "the chart needs kinds that the cluster does not have: install them"),
    _rule(r"is invalid:|ValidationError|unknown field|strict decoding", "bad_argument", "change the values"),
    _rule(
        r"timed out waiting|context deadline exceeded|not ready\. status|DeadlineExceeded",
        "timed_out",
        "a longer timeout_seconds may do",
        "object",
        "explains what does not become ready",
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
    message = told(ended.stderr) or f"helm ended with {command.ended(ended.code)}"
    untold = [cause for cause in _UNTOLD.findall(ended.stderr) if cause not in message]
    message = "; ".join([message, *untold])[:_LONGEST]
    unread = _UNREAD.search(ended.stdout)
    if unread:  # Of a repository that cannot be read the cause alone is on stdout.
        message += f": {' '.join(unread[1].split())}"
    rule = next((rule for rule in RULES if rule.pattern.search(message)), None)
    code: Code = rule.code if rule else "conflict"
    return ToolFailure(code, message, rule.told() if rule else None, backend=BACKEND)


def told(stderr: str) -> str:
    """The error itself, without debug lines, stack traces and the word Error."""
    lines = stderr.split("\n")
    start = next((number for number, line in enumerate(lines) if line.startswith("Error: ")), None)
    if start is None:
        kept = [line for line in lines if line.strip() and not _DEBUG.match(line)]
        return "\n".join(kept[-5:])[:_LONGEST]
    kept = []
    for line in lines[start:]:
        if _DEBUG.match(line):
            break
        kept.append(line)
    return "\n".join(kept).removeprefix("Error: ").strip()[:_LONGEST]


def step(line: str) -> str | None:
    """What a line of helm's own report says of its work, None for what tells nobody anything."""
    found = _STEP.match(line)
    if found is None or _OF_NO_INTEREST.search(found["step"]):
        return None
    return found["step"].strip()


def warnings(stderr: str) -> list[str]:
    """What a successful run warned of, each once."""
    return list(dict.fromkeys([*_WARNING.findall(stderr), *_UNTOLD.findall(stderr)]))
