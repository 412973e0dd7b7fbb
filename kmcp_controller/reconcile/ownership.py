"""Whose an object is, and how one that a former controller made becomes ours. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from kmcp_controller.cluster.client import LABEL, MANAGER
from kmcp_controller.spec.model import KIND, OURS

Object = dict[str, Any]
ADOPT = OURS + "adopt"
_WAYS_OUT = f"use another name, annotate it {ADOPT}: <name>, or delete it"


@dataclass(frozen=True)
class Verdict:
    action: Literal["apply", "adopt", "refuse", "wait"]
    why: str = ""


def judge(live: Mapping[str, Any], rendered: Mapping[str, Any], name: str, uid: str) -> Verdict:
    """What to do about the object in the place of `rendered`, on behalf of the MCPServer `name`."""
    metadata = live["metadata"]
    if metadata.get("deletionTimestamp"):
        return Verdict("wait", f"{_named(live)} is being deleted")
    owners = metadata.get("ownerReferences") or ()
    controller = next((each for each in owners if each.get("controller")), None)
    if controller and controller["uid"] == uid:
        return Verdict("apply")
    if not _may_adopt(metadata, owners, controller, name, uid):
        owner = (
            f"controlled by {controller['kind']} {controller['name']}" if controller else "not owned by this MCPServer"
        )
        account = "set deployment.serviceAccountName, " if live["kind"] == "ServiceAccount" else ""
        return Verdict("refuse", f"{_named(live)} already exists and is {owner}; {account}{_WAYS_OUT}")
    selectors = [(each.get("spec") or {}).get("selector") for each in (live, rendered)]
    if live["kind"] == "Deployment" and selectors[0] != selectors[1]:
        return Verdict("refuse", f"{_named(live)} has another pod selector, which cannot be changed; {_WAYS_OUT}")
    return Verdict("adopt")


def _may_adopt(
    metadata: Mapping[str, Any],
    owners: Collection[Mapping[str, Any]],
    controller: Mapping[str, Any] | None,
    name: str,
    uid: str,
) -> bool:
    if controller:
        return bool(controller["kind"] == KIND and controller["name"] == name)
    if any(each["uid"] == uid for each in owners):
        return True
    labelled = (metadata.get("labels") or {}).get(LABEL) == name
    return labelled or (metadata.get("annotations") or {}).get(ADOPT) == name


def is_ours(live: Mapping[str, Any], name: str, uid: str) -> bool:
    """Made for the MCPServer `name`: it may be deleted when it is no longer rendered."""
    metadata = live["metadata"]
    labelled = (metadata.get("labels") or {}).get(LABEL) == name
    return labelled and any(each["uid"] == uid for each in metadata.get("ownerReferences") or ())


def taken_over(fields: Collection[Mapping[str, Any]], former: Collection[str]) -> list[Object] | None:
    """managedFields with the updates of `former` managers made our applied ones; None: there are none."""
    mine = [each for each in fields if _is(each, (MANAGER,), "Apply")]
    theirs = [each for each in fields if _is(each, former, "Update")]
    if not theirs:
        return None
    kept = [dict(each) for each in fields if each not in mine and each not in theirs]
    merged: Object = {}
    # One entry: the API server keeps one for each manager and operation.
    for each in (*mine, *theirs):
        _unite(merged, each.get("fieldsV1") or {})
    return [*kept, {**theirs[0], "manager": MANAGER, "operation": "Apply", "fieldsV1": merged}]


def owns_replicas(live: Mapping[str, Any], manager: str = MANAGER) -> bool:
    fields = [each for each in live["metadata"].get("managedFields") or () if _is(each, (manager,), "Apply")]
    return any("f:replicas" in ((each.get("fieldsV1") or {}).get("f:spec") or {}) for each in fields)


def strangers(live: Mapping[str, Any]) -> list[str]:
    """Managers other than the controller."""
    fields = live["metadata"].get("managedFields") or ()
    return sorted({each["manager"] for each in fields if not each["manager"].startswith(MANAGER)})


def _is(entry: Mapping[str, Any], managers: Collection[str], operation: str) -> bool:
    same = entry.get("manager") in managers and entry.get("operation") == operation
    return same and not entry.get("subresource")


def _unite(into: Object, other: Mapping[str, Any]) -> None:
    for key, value in other.items():
        _unite(into.setdefault(key, {}), value)


def _named(live: Mapping[str, Any]) -> str:
    return f"{live['kind']} {live['metadata']['name']}"
