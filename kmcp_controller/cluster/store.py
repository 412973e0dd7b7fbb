"""What the watches have shown and our own writes have answered: the newest state known of each object."""

from collections.abc import Iterator, Mapping
from typing import Any

from .client import LABEL, MANAGER

Object = dict[str, Any]
Key = tuple[str, str]  # namespace and name, mostly of an MCPServer


class Store:
    def __init__(self) -> None:
        self._kinds: dict[str, dict[Key, Object]] = {}

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        return self._of(kind).get((namespace, name))

    def put(self, found: Mapping[str, Any]) -> bool:
        """Whether it is news: an older state, or one that our own write has answered, is not."""
        known = self._known(found)
        if known and known["metadata"]["uid"] == found["metadata"]["uid"] and _version(known) >= _version(found):
            return False
        self._of(found["kind"])[_place(found)] = _trimmed(found)
        return True

    def drop(self, found: Mapping[str, Any]) -> bool:
        """Forget an object that is gone; False when another object with its name exists by now."""
        known = self._known(found)
        if known is None or known["metadata"]["uid"] != found["metadata"]["uid"]:
            return False
        self.forget(found)
        return True

    def forget(self, found: Mapping[str, Any]) -> None:
        """Whatever is in this place is to be read anew."""
        self._of(found["kind"]).pop(_place(found), None)

    def of_kind(self, kind: str, namespace: str | None = None) -> Iterator[Object]:
        return (each for (where, _), each in self._of(kind).items() if namespace in (None, where))

    def servers(self) -> list[Key]:
        return list(self._of("MCPServer"))

    def _of(self, kind: str) -> dict[Key, Object]:
        return self._kinds.setdefault(kind, {})

    def _known(self, found: Mapping[str, Any]) -> Object | None:
        return self._of(found["kind"]).get(_place(found))


def keys_of(found: Mapping[str, Any]) -> Iterator[Key]:
    """The MCPServers that an object concerns."""
    metadata = found["metadata"]
    namespace = metadata["namespace"]
    names = {(metadata.get("labels") or {}).get(LABEL)}
    if found["kind"] == "MCPServer":
        names = {metadata["name"]}
    elif found["kind"] == "HorizontalPodAutoscaler":
        names = {found["spec"]["scaleTargetRef"]["name"]}
    names |= {each["name"] for each in metadata.get("ownerReferences") or () if each["kind"] == "MCPServer"}
    yield from ((namespace, name) for name in sorted(filter(None, names)))


def _place(found: Mapping[str, Any]) -> Key:
    return found["metadata"]["namespace"], found["metadata"]["name"]


def _version(found: Mapping[str, Any]) -> int:
    """Resource versions are numbers that grow, officially since 1.35."""
    return int(found["metadata"]["resourceVersion"])


def _trimmed(found: Mapping[str, Any]) -> Object:
    """Without the lists of managed fields, half of an object's size, but for who of ours owns the replicas."""
    metadata = dict(found["metadata"])
    fields = metadata.pop("managedFields", None) or ()
    mine = [each for each in fields if str(each.get("manager", "")).startswith(MANAGER) and _of_replicas(each)]
    if mine:
        metadata["managedFields"] = [each | {"fieldsV1": {"f:spec": {"f:replicas": {}}}} for each in mine]
    return {**found, "metadata": metadata}


def _of_replicas(entry: Mapping[str, Any]) -> bool:
    return "f:replicas" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
