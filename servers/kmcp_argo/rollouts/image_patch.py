"""Setting images: which containers change, and the patch that changes only them. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from kmcp_runtime import bad_argument

ALL = "*"
_LISTS = ("initContainers", "containers", "ephemeralContainers")
Object = Mapping[str, Any]


class ImageChange(BaseModel):
    """An image before and after."""

    model_config = ConfigDict(serialize_by_alias=True)

    container: str
    was: str = Field(alias="from")
    to: str


@dataclass(frozen=True)
class _Place:
    pointer: str
    name: str
    image: str


def assignment(text: str, found: Object) -> tuple[str, str]:
    """`container=image` taken apart; `bad_argument` names the containers there are."""
    container, separator, image = text.partition("=")
    if not separator or not container or not image or image != image.strip():
        raise bad_argument(
            f"container_image: {text!r} is not container=image",
            f"containers: {_names(found)}; *=image sets all of them",
        )
    return container, image


def changes(found: Object, container: str, image: str) -> tuple[list[ImageChange], list[dict[str, Any]]]:
    """What changes and the JSON patch for it, which is a conflict when the object has changed meanwhile.

    The version is written, not tested: for a test that fails the API server has no word of its own.
    """
    places = [place for place in _places(found) if container in (ALL, place.name)]
    if not places:
        raise bad_argument(f"container_image: no container {container!r}", f"containers: {_names(found)}")
    changed = [place for place in places if place.image != image]
    writes = [{"op": "replace", "path": f"{place.pointer}/image", "value": image} for place in changed]
    version = {"op": "replace", "path": "/metadata/resourceVersion", "value": found["metadata"]["resourceVersion"]}
    told = [ImageChange.model_validate({"container": each.name, "from": each.image, "to": image}) for each in changed]
    return told, [version, *writes] if changed else []


def _places(found: Object) -> Iterator[_Place]:
    spec = ((found.get("spec") or {}).get("template") or {}).get("spec") or {}
    for field in _LISTS:
        for index, each in enumerate(spec.get(field) or ()):
            yield _Place(f"/spec/template/spec/{field}/{index}", str(each.get("name")), str(each.get("image", "")))


def _names(found: Object) -> str:
    return ", ".join(place.name for place in _places(found)) or "none"
