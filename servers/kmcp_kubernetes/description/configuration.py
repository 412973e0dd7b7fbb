"""ConfigMaps and Secrets by their keys; any other kind by its own fields."""

import base64
import binascii

from kmcp_kubernetes.description.facts import Detail, Facts, Look
from kmcp_runtime.kube.objects import slim

_SHOWN_ELSEWHERE = ("apiVersion", "kind", "metadata")


async def describe_keys(look: Look) -> Facts:
    """Keys with the size of their values: values are read with k8s_get_resource_yaml."""
    secret = look.place.kind.kind == "Secret"
    sizes = {key: _size(value, secret) for key, value in (look.found.get("data") or {}).items()}
    sizes |= {key: _size(value, True) for key, value in (look.found.get("binaryData") or {}).items()}
    details: Detail = {"type": look.found["type"]} if look.found.get("type") else {}
    details |= {"immutable": True} if look.found.get("immutable") else {}
    # A list, not a mapping: redaction would take a size under the key `password` for a password.
    return Facts({**details, "keys": [f"{key} ({size} bytes)" for key, size in sizes.items()]})


def _size(value: str, encoded: bool) -> int:
    try:
        return len(base64.b64decode(value)) if encoded else len(value.encode())
    except binascii.Error:
        return len(value)


async def describe_anything(look: Look) -> Facts:
    details = {key: value for key, value in slim(look.found).items() if key not in _SHOWN_ELSEWHERE}
    status = details.get("status")
    if isinstance(status, dict):
        # Conditions have a field of their own in the answer.
        status = {key: value for key, value in status.items() if key != "conditions"}
        details = {**details, "status": status} if status else {k: v for k, v in details.items() if k != "status"}
    owners = look.found["metadata"].get("ownerReferences") or ()
    return Facts(details, [{"kind": owner["kind"], "name": owner["name"], "state": "owner"} for owner in owners])
