"""Values of Secrets at the door of the Kubernetes API: learnt when they are read, never compared with a caller's.

Learnt values are hidden wherever they come back (a diff, an error of the API server, another object). What would show
whether a guess is right is refused or answered the same in both cases.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from kmcp_runtime import redaction
from kmcp_runtime.errors import bad_argument
from kmcp_runtime.json_patch import split_pointer

_FIELDS = ("data", "stringData")
_PLACES = (("data",), ("stringData",), ("metadata", "annotations", redaction.LAST_APPLIED))
"""Where a Secret holds its values; the annotation repeats the whole object."""
_HELM = "helm.sh/release.v1"


def learn(answer: Any) -> None:
    """Enter the values of the Secrets in an answer of the API server: one, a list, or an event of a watch."""
    if not isinstance(answer, Mapping):
        return
    kind = answer.get("kind")
    if kind == "Secret":
        _learn_one(answer)
    elif kind == "SecretList" or (kind == "List" and answer.get("items")):
        for item in answer.get("items") or ():
            if isinstance(item, Mapping) and item.get("kind", "Secret") == "Secret":
                _learn_one(item)
    elif isinstance(answer.get("object"), Mapping) and "type" in answer:
        learn(answer["object"])


def _learn_one(secret: Mapping[str, Any]) -> None:
    if secret.get("type") == _HELM:
        return  # A release is compressed: nothing of it comes back as it is; what it holds is learnt when it is read.
    for value in (secret.get("data") or {}).values():
        if isinstance(value, str):
            redaction.learn_encoded(value)
    for value in (secret.get("stringData") or {}).values():
        if isinstance(value, str):
            redaction.learn(value)


def withhold(body: Any) -> None:
    """Have the values that a caller sends for a Secret hidden in his answer, too."""
    for field in _FIELDS:
        values = body.get(field) if isinstance(body, Mapping) else None
        for value in values.values() if isinstance(values, Mapping) else ():
            if isinstance(value, str):
                redaction.withhold(value)


def refuse_comparisons(operations: Any) -> None:
    """Refuse what a JSON patch would compare with a Secret's values, or carry from them to another place."""
    for number, operation in enumerate(operations if isinstance(operations, Sequence) else ()):
        if not isinstance(operation, Mapping) or operation.get("op") not in ("test", "copy", "move"):
            continue
        for name in ("path", "from"):
            pointer = operation.get(name)
            if isinstance(pointer, str) and _touches(pointer):
                raise bad_argument(
                    f"patch[{number}] ({operation['op']} {pointer or 'the whole object'}): the values of a Secret are "
                    "neither compared nor copied, since that would show what they are",
                    "use add, replace and remove with new values",
                )


def _touches(pointer: str) -> bool:
    """At, above or below a place that holds values."""
    steps = tuple(split_pointer(pointer, "patch"))
    return any(steps[: len(place)] == place[: len(steps)] for place in _PLACES)


def sent_keys(patch: Any, before: Mapping[str, Any] | None) -> frozenset[str]:
    """The keys of a Secret's data that a write sets: of a merge, a manifest, or a list of JSON patch operations.

    A key that is sent with the mark of its live value is not set: it stays as it is.
    """
    if isinstance(patch, Mapping):
        fields = (patch.get(field) for field in _FIELDS)
        return frozenset(
            key for field in fields if isinstance(field, Mapping) for key in field if not _kept(field[key])
        )
    found: set[str] = set()
    for operation in patch if isinstance(patch, list) else ():
        if not isinstance(operation, Mapping) or operation.get("op") == "remove":
            continue
        steps = split_pointer(str(operation.get("path", "")), "patch")
        if not steps or steps[0] in _FIELDS:
            value = operation.get("value")
            whole = value if len(steps) == 1 else (value or {}).get("data") if isinstance(value, Mapping) else None
            if len(steps) > 1 and _kept(operation.get("value")):
                continue
            found |= {steps[1]} if len(steps) > 1 else set(whole or ()) | set((before or {}).get("data") or ())
    return frozenset(found)


def _kept(value: Any) -> bool:
    return isinstance(value, str) and redaction.is_mark(value)


def cover(
    before: Mapping[str, Any] | None, after: Mapping[str, Any], sent: frozenset[str]
) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Both states of a Secret with marks for values: what a caller has sent looks changed, whether it is or not."""
    # The uid is part of the mark: the value of a Secret that is deleted and created again has another one.
    uid = str(((before or after).get("metadata") or {}).get("uid", ""))
    return (
        None if before is None else _marked(before, uid, frozenset()),
        _marked(after, uid if before is not None else "", sent),
    )


def _marked(secret: Mapping[str, Any], uid: str, sent: frozenset[str]) -> dict[str, Any]:
    covered = dict(secret)
    for field in _FIELDS:
        if isinstance(secret.get(field), Mapping):
            covered[field] = {
                key: redaction.HIDDEN
                if key in sent or not uid
                else redaction.mark(f"/Secret/{uid}/{field}/{key}", str(value))
                for key, value in secret[field].items()
            }
    return covered


def refuse_probe(kind: str, before: Mapping[str, Any] | None, sent: frozenset[str]) -> None:
    """Refuse to send data to a Secret that cannot change: the API server accepts only what is there already."""
    if before is not None and before.get("immutable") and sent:
        raise bad_argument(
            f"{kind}: this Secret is immutable, so its data cannot be set", "delete it and create it again"
        )


def owners_elsewhere(before: Mapping[str, Any] | None, sent: frozenset[str], manager: str) -> dict[str, str]:
    """Which keys other managers own. The API server reports a conflict only for another value; here it is for any."""
    found: dict[str, str] = {}
    for entry in ((before or {}).get("metadata") or {}).get("managedFields") or ():
        # Ownership is by manager and operation: an Update under our name is another owner to server-side apply.
        if entry.get("manager") == manager and entry.get("operation") == "Apply":
            continue
        keys = (entry.get("fieldsV1") or {}).get("f:data") or {}
        found |= {key: str(entry.get("manager")) for key in sent if f"f:{key}" in keys}
    return found
