"""Setting images: which containers change, and a patch that changes nothing else. Pure."""

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
    """Container and image of `container=image`; the `bad_argument` for anything else lists the containers."""
    container, separator, image = text.partition("=")
    if not separator or not container or not image or image != image.strip():
        raise bad_argument(
            f"container_image: {text!r} is not container=image",
            f"containers: {_names(found)}; *=image sets all of them",
        )
    return container, image


def changes(found: Object, container: str, image: str) -> tuple[list[ImageChange], list[dict[str, Any]]]:
    """What changes, and the JSON patch for it; it meets a conflict when the object has changed since it was read."""
    places = [place for place in _places(found) if container in (ALL, place.name)]
    if not places:
        raise bad_argument(f"container_image: no container {container!r}", f"containers: {_names(found)}")
    changed = [place for place in places if place.image != image]
    # Pointers by index: a strategic merge patch, which finds containers by name, does not exist for custom resources.
    writes = [{"op": "replace", "path": f"{place.pointer}/image", "value": image} for place in changed]
    # The version is written instead of tested: the API server answers a stale one with a conflict, but a failed JSON
    # Patch "test" with a plain 422.
    version = {"op": "replace", "path": "/metadata/resourceVersion", "value": found["metadata"]["resourceVersion"]}
    rows = [ImageChange.model_validate({"container": each.name, "from": each.image, "to": image}) for each in changed]
    return rows, [version, *writes] if changed else []


def _places(found: Object) -> Iterator[_Place]:
    spec = ((found.get("spec") or {}).get("template") or {}).get("spec") or {}
    for field in _LISTS:
        for index, each in enumerate(spec.get(field) or ()):
            yield _Place(f"/spec/template/spec/{field}/{index}", str(each.get("name")), str(each.get("image", "")))


def _names(found: Object) -> str:
    return ", ".join(place.name for place in _places(found)) or "none"
