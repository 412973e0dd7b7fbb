"""What is not well with a server, in the order in which it is to be looked at, and what to do next."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_ORDER = ("Accepted", "ResolvedRefs", "Programmed", "Ready", "ToolsDiscovered", "CatalogMatched")
_BY_REASON = {
    "AuthRequired": "give the controller a token for it: see the page “Who may call”",
    "NotMCP": "check `httpTransport.path` and `targetPort`: something else answers there",
    "Unreachable": "check that the container listens on `targetPort` at all addresses, and no NetworkPolicy is between",
    "TooLarge": "have the server list fewer tools, or split it",
    "Blocked": "compare the tools with what was pinned; if the change is meant, remove the pin or write a new one",
    "BreakingDrift": "callers of these tools will fail: go back to the version before, or tell them of the new one",
    "Drift": "read what changed; if it is meant, update the reference",
    "Conflict": "another owner has an object of this name: rename the MCPServer, or remove the object",
}
_BY_CONDITION = {
    "Accepted": "correct the fields that are named: `kmcp-suite plan -f FILE` shows every fault with its line",
    "ResolvedRefs": "create what is missing, or correct its name",
    "Programmed": "`kubectl describe mcpserver {name} -n {namespace}` shows the objects and their events",
    "Ready": "`kubectl logs -n {namespace} deployment/{name} --tail=50` shows its last words",
    "ToolsDiscovered": "call the address with an MCP client, and compare its answer with what is said here",
    "CatalogMatched": "compare the tools with the reference",
}
_LOCAL = {"Ready": "set what is named here and start `kmcp-suite up` again; its output shows the server's own words"}


@dataclass(frozen=True)
class Trouble:
    """A condition that is not as it should be."""

    condition: str
    reason: str
    message: str
    since: str
    step: str


def troubles_of(server: Mapping[str, Any], local: bool) -> list[Trouble]:
    """Of one server; what only follows from another is left out. `local`: it runs on this machine, without kubectl."""
    by_type = {each["type"]: each for each in server["conditions"]}
    found = [_trouble(server, by_type[kind], local) for kind in _ORDER if _is_bad(by_type.get(kind))]
    if not found and not server["ready"]:
        known = {"type": "Ready", "reason": server["reason"] or "Unknown", "message": server["message"] or ""}
        found = [_trouble(server, known, local)]
    first = found[:1]
    return first + [each for each in found[1:] if each.condition == "CatalogMatched"]


def _is_bad(condition: Mapping[str, Any] | None) -> bool:
    # Unknown is what is not known yet, or what follows from another.
    return condition is not None and condition["status"] == "False"


def _trouble(server: Mapping[str, Any], condition: Mapping[str, Any], local: bool) -> Trouble:
    kind, reason = condition["type"], str(condition["reason"])
    step = _BY_REASON.get(reason) or (local and _LOCAL.get(kind)) or _BY_CONDITION[kind]
    step = step.replace("{name}", server["name"]).replace("{namespace}", server["namespace"])
    return Trouble(kind, reason, condition["message"], condition.get("lastTransitionTime", ""), step)
