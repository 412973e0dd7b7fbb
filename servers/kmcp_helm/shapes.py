"""Parts of answers that several tools of this server share."""

from collections.abc import Iterable

from pydantic import BaseModel, Field

from kmcp_runtime.helm import manifests
from kmcp_runtime.helm.manifests import Change, How, Part


class Object(BaseModel):
    """An object of a release."""

    kind: str
    name: str
    namespace: str | None = Field(default=None, description="Absent if it is the release's, or if there is none")

    @classmethod
    def of(cls, part: Part) -> "Object":
        return cls(kind=part.kind, name=part.name, namespace=part.namespace)


class ChangedObject(Object):
    """An object that differs."""

    change: How

    @classmethod
    def of_change(cls, change: Change) -> "ChangedObject":
        part = change.part
        return cls(kind=part.kind, name=part.name, namespace=part.namespace, change=change.how)


def objects_of(manifest: str) -> list[Object]:
    return [Object.of(part) for part in manifests.objects(manifest)]


def changed(found: Iterable[Change]) -> list[ChangedObject]:
    return [ChangedObject.of_change(change) for change in found]
