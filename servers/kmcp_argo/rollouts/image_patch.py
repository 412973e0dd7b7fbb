"""Setting images: which containers change, and a patch that changes nothing else. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from kmcp_runtime import bad_argument, image_names

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


def assignments(text: str, found: Object) -> dict[str, str]:
    """Images by container of `container=image`, also of several with commas or spaces between them.

    The `bad_argument` for anything else lists the containers.
    """
    wanted: dict[str, str] = {}
    # No reference to an image has a comma, a space or an equals sign.
    for each in re.split(r"[,\s]+", text.strip(" ,")):
        container, _, image = each.partition("=")
        if not container or not image_names.is_reference(image) or container in wanted:
            raise bad_argument(
                f"container_image: {text!r} is not container=image with the name of an image, each container once",
                f"containers: {_names(found)}; *=image sets all of them",
            )
        wanted[container] = image
    return wanted


def changes(found: Object, wanted: Mapping[str, str]) -> tuple[list[ImageChange], list[dict[str, Any]]]:
    """What changes, and the JSON patch for it; it meets a conflict when the object has changed since it was read."""
    places = list(_places(found))
    unknown = next((name for name in wanted if name != ALL and name not in {place.name for place in places}), None)
    if unknown is not None or not places:
        raise bad_argument(f"container_image: no container {unknown or ALL!r}", f"containers: {_names(found)}")
    # One that is named has its own image also beside `*`.
    images = {place.pointer: wanted.get(place.name, wanted.get(ALL, place.image)) for place in places}
    changed = [place for place in places if place.image != images[place.pointer]]
    # Pointers by index: a strategic merge patch, which finds containers by name, does not exist for custom resources.
    writes = [{"op": "replace", "path": f"{place.pointer}/image", "value": images[place.pointer]} for place in changed]
    # The version is written instead of tested: the API server answers a stale one with a conflict, but a failed JSON
    # Patch "test" with a plain 422.
    version = {"op": "replace", "path": "/metadata/resourceVersion", "value": found["metadata"]["resourceVersion"]}
    rows = [
        ImageChange.model_validate({"container": each.name, "from": each.image, "to": images[each.pointer]})
        for each in changed
    ]
    return rows, [version, *writes] if changed else []


def _places(found: Object) -> Iterator[_Place]:
    spec = ((found.get("spec") or {}).get("template") or {}).get("spec") or {}
    for field in _LISTS:
        for index, each in enumerate(spec.get(field) or ()):
            yield _Place(f"/spec/template/spec/{field}/{index}", str(each.get("name")), str(each.get("image", "")))


def _names(found: Object) -> str:
    return ", ".join(place.name for place in _places(found)) or "none"
