"""What `cilium-dbg` says when it fails, as failures that a caller can act on."""

import re

from kmcp_runtime import Code, ToolFailure, unavailable

BACKEND = "cilium-agent"
_HELP = re.compile(r"^Usage:\n\s+cilium(?:-dbg)?\b", re.MULTILINE)
# Messages of a command that does not reach the agent's sockets (cilium.sock, shell.sock).
_DOWN = (
    "Is the agent running?",
    "daemon unreachable",
    "cilium.sock",
    "Cilium API client timeout exceeded",
    "shell.sock",
)
# The generated API client puts request and status into its errors: [GET /endpoint/{id}][404].
_HTTP_STATUS = re.compile(r"\[(?:GET|PUT|POST|PATCH|DELETE) /[^\]]*\]\[(\d{3})\]")
_CODES: dict[int, Code] = {400: "bad_argument", 404: "not_found", 409: "conflict", 422: "bad_argument"}
_LONGEST = 600


def is_help(text: str) -> bool:
    """Whether a text is the help of a command, which an unknown subcommand prints with exit code 0."""
    return _HELP.search(text) is not None


def misunderstood(command: str) -> ToolFailure:
    """The failure for a command that this version should have, but whose help was printed."""
    return ToolFailure(
        "internal",
        f"`{command}` printed its help instead of a result: this version has no such command",
        "cilium_status_and_version shows the version; please report it",
        backend=BACKEND,
    )


def unreadable(command: str, text: str) -> ToolFailure:
    return ToolFailure(
        "internal",
        f"`{command}` did not print JSON: {text.strip()[:200]!r}",
        "cilium_status_and_version shows the version; please report it",
        backend=BACKEND,
    )


def failed(command: str, stdout: str, stderr: str, code: int | None, where: str, look: str) -> ToolFailure:
    """The failure for a failed command; `where` names the agent, `look` the call that shows its log."""
    # Some commands print their errors to standard output.
    said = spoken(stderr) or spoken(stdout)
    # Before the help: a command without an agent prints both.
    if any(sign in said for sign in _DOWN):
        return unavailable(f"the agent {where} does not answer: {said}", look, backend=BACKEND)
    if is_help(stdout):
        return misunderstood(command)
    status = _HTTP_STATUS.search(said)
    mapped = _CODES.get(int(status[1])) if status else None
    message = said or f"`{command}` ended with exit code {code} and no message"
    return ToolFailure(mapped or "unavailable", f"{message} ({where})", backend=BACKEND)


def spoken(text: str) -> str:
    """The message in a program's output, on one line and without the usage."""
    said = _HELP.split(text)[0]
    lines = [line.strip().removeprefix("Error: ") for line in said.splitlines()]
    joined = " ".join(line for line in lines if line)
    return joined if len(joined) <= _LONGEST else f"{joined[:_LONGEST]}…"
