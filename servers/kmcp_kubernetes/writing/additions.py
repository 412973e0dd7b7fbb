"""What the API server adds to an object beyond its manifest: defaults, which a diff leaves out."""

from collections.abc import Mapping, Sequence
from typing import Any

from kmcp_runtime.kube.objects import Object

# What tells the items of a list apart in the objects of the API (their merge keys).
_IDENTITIES = ("name", "mountPath", "containerPort", "port", "key", "type", "ip", "uid", "topologyKey")


def as_meant(sent: Mapping[str, Any], before: Object | None, after: Object) -> Object:
    """The object without the fields that are neither in the manifest nor were there before it was applied.

    What has other values than were sent stays, and so does what a list has more than was sent: somebody put it there.
    """
    whole: Object = _mapping(_with_data(sent), before or {}, after)
    return whole


def _with_data(sent: Mapping[str, Any]) -> Mapping[str, Any]:
    """A Secret's `stringData` is written into its `data`."""
    if "stringData" not in sent:
        return sent
    return {**sent, "data": {**(sent.get("data") or {}), **(sent["stringData"] or {})}}


def _value(sent: Any, before: Any, after: Any) -> Any:
    if isinstance(after, Mapping) and isinstance(sent, Mapping):
        return _mapping(sent, before if isinstance(before, Mapping) else {}, after)
    if isinstance(after, list) and isinstance(sent, list):
        return _list(sent, before if isinstance(before, list) else [], after)
    return after


def _mapping(sent: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    return {
        # Of what was not sent the values of before stay whole, so that a removal or a change by others is seen.
        key: _value(sent[key], before.get(key), value) if key in sent else value
        for key, value in after.items()
        if key in sent or key in before
    }


def _list(sent: Sequence[Any], before: Sequence[Any], after: Sequence[Any]) -> list[Any]:
    return [
        _value(_partner(each, number, sent, after), _partner(each, number, before, after), each)
        for number, each in enumerate(after)
    ]


def _partner(item: Any, number: int, others: Sequence[Any], items: Sequence[Any]) -> Any:
    """The item of another list that this one is: by what tells such items apart, else by its place."""
    for identity in _IDENTITIES:
        if isinstance(item, Mapping) and identity in item:
            found = [each for each in others if isinstance(each, Mapping) and each.get(identity) == item[identity]]
            if len(found) == 1:
                return found[0]
    return others[number] if len(others) == len(items) else None
