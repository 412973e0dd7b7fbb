"""Which calls the page's console may make: reading ones, and rehearsals of what changes. Pure.

The form follows the same rules, but what decides is here, before a request is sent. For the suite's own servers a
reading call goes to their read-only address as well, so that a second judge refuses at the doors whatever this one gets
wrong.
"""

from collections.abc import Mapping
from typing import Any, Literal

from .foreign import mapping

Described = Mapping[str, Any]
Way = Literal["read", "rehearsal"]
DRY_RUN = "dry_run"
_APPROVAL = "approval"


class NotAllowedError(Exception):
    """Says why the page does not make this call."""


def ways_of(tool: Described) -> frozenset[Way]:
    """How the console may call a tool at all; empty: in no way."""
    found: set[Way] = set()
    if tool["effect"] == "read" or _choosing(tool):
        found.add("read")
    if tool["effect"] != "read" and _rehearses(tool):
        found.add("rehearsal")
    return frozenset(found)


def way_of(tool: Described, arguments: Mapping[str, Any]) -> Way:
    """How this call would go. Errors: NotAllowedError."""
    declared = tool["effectSource"] == "declared"
    known = mapping(mapping(tool["inputSchema"]).get("properties"))
    # A server of the suite takes some older names beside those that it lists: none of them may say something else.
    if declared and (unknown := [name for name in arguments if name not in known]):
        raise NotAllowedError(f"the tool lists no argument {unknown[0][:64]!r}")
    if _APPROVAL in arguments:
        raise NotAllowedError("nothing is approved from this page")
    if tool["effect"] == "read":
        return "read"
    if _rehearses(tool) and arguments.get(DRY_RUN) is True:
        return "rehearsal"
    if (chooses := _choosing(tool)) and tool["actions"].get(str(arguments.get(chooses))) == "read":
        return "read"
    if _rehearses(tool):
        raise NotAllowedError("what changes something is called from this page with dry_run true only")
    raise NotAllowedError("what changes something and has no dry run is not called from this page; use a client")


def _rehearses(tool: Described) -> bool:
    """Whether `dry_run` means what it means in the suite; of another server's word of that name nothing is known."""
    field = mapping(mapping(mapping(tool["inputSchema"]).get("properties")).get(DRY_RUN))
    return tool["effectSource"] == "declared" and field.get("type") == "boolean"


def _choosing(tool: Described) -> str:
    """The argument whose value decides what a tool does, where some value only reads; empty without one."""
    actions = mapping(tool["actions"])
    if tool["effectSource"] != "declared" or "read" not in actions.values():
        return ""
    properties = mapping(mapping(tool["inputSchema"]).get("properties"))
    found = [name for name, field in properties.items() if set(actions) <= set(_values(mapping(field)))]
    return found[0] if len(found) == 1 else ""


def _values(field: Mapping[str, Any]) -> list[str]:
    values = field.get("enum")
    return [each for each in values if isinstance(each, str)] if isinstance(values, list) else []
