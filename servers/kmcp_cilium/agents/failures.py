"""What `cilium-dbg` says when it fails, as failures that a caller can act on."""

import re

from kmcp_cilium.agents.log_lines import log_fields
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
_OTHER_VERSION = "cilium_status_and_version shows the agent's version: it may not be one of 1.15 to 1.20"
# As logrus (up to 1.17) and slog (later) write it.
_ERROR = re.compile(r"(?:time=\S+ )?level=(?:error|fatal|ERROR) (?P<rest>.*)")


def is_help(text: str) -> bool:
    """Whether a text is the help of a command, which an unknown subcommand prints with exit code 0."""
    return _HELP.search(text) is not None


def misunderstood(command: str) -> ToolFailure:
    """The failure for a command that this version should have, but whose help was printed."""
    message = f"`{command}` printed its help instead of a result: the agent's version has no such command"
    return unavailable(message, _OTHER_VERSION, backend=BACKEND)


def unreadable(command: str, text: str) -> ToolFailure:
    """The failure for output that is not JSON: nothing, a message, or a form of another version."""
    said = " ".join(text.split())
    message = f"`{command}` printed {said[:200]!r} instead of JSON" if said else f"`{command}` printed nothing"
    return unavailable(message, _OTHER_VERSION, backend=BACKEND)


def errors_in(log: str) -> list[str]:
    """The messages of the errors in a program's log, with their causes and what they are about."""
    return [_told(match["rest"]) for line in log.split("\n") if (match := _ERROR.match(line))]


def logged(command: str, errors: list[str], where: str, look: str) -> ToolFailure:
    """The failure for a command that changes something, logged errors and ended as if all were well."""
    told = "; ".join(errors)
    told = told if len(told) <= _LONGEST else f"{told[:_LONGEST]}…"
    return unavailable(f"`{command}` logged errors and may have done a part only: {told} ({where})", look)


def _told(rest: str) -> str:
    """`Cannot delete service: timeout (serviceID=7)` of the fields of a line."""
    fields = log_fields(rest)
    about = ", ".join(f"{key}={value}" for key, value in fields.items() if key not in ("msg", "error", "subsys"))
    told = ": ".join(filter(None, (fields.get("msg"), fields.get("error"))))
    return f"{told} ({about})" if about else told or rest


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
