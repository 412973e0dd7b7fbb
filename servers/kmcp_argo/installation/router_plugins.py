"""Traffic router plugins in the controller's ConfigMap: reading the list and adding an entry. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from kmcp_runtime import ToolFailure, YamlError, conflict, read_yaml, versions, write_yaml

CONFIG_MAP = "argo-rollouts-config"
KEY = "trafficRouterPlugins"
GATEWAY_API = "argoproj-labs/gatewayAPI"
Entry = dict[str, Any]
Object = Mapping[str, Any]

_RELEASE = re.compile(r"/(v\d[^/]*)/")
_PLATFORM = re.compile(r"-(linux|darwin|windows)-([a-z0-9]+)(?:\.exe)?$")


def entries(config: Object | None) -> list[Entry]:
    """The configured plugins; `conflict` when the configuration cannot be read."""
    text = ((config or {}).get("data") or {}).get(KEY) or ""
    try:
        found = read_yaml(text)
    except YamlError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        problem = getattr(error, "problem", None) or "it is not valid YAML"
        raise _malformed(f"{problem}{place}") from None
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(each, dict) and each.get("name") for each in found):
        raise _malformed("it is not a list of entries that have a name")
    return found


def with_entry(known: Iterable[Entry], wanted: Entry) -> list[Entry]:
    """The list with one entry added or updated and all others kept."""
    kept = list(known)
    for index, each in enumerate(kept):
        if each["name"] == wanted["name"]:
            # Arguments that someone has added to the entry are kept.
            merged = {**each, **wanted}
            if wanted["location"] != each.get("location") and "sha256" not in wanted:
                merged.pop(
                    "sha256", None
                )  # The old checksum belongs to another file: the controller would refuse the new one.
            return [*kept[:index], merged, *kept[index + 1 :]]
    return [*kept, wanted]


def written(known: list[Entry]) -> str:
    # In the order of the keys: people keep name and location first, and a diff stays small.
    return write_yaml(known)


def check_release(value: str | None) -> str | None:
    """Refuse what is not a release: it would lead to a file of somebody else, which the controller would run."""
    if value is not None and (versions.parse(value) is None or "+" in value):
        raise ValueError(f"{value[:80]!r} is not a release: write v0.5.0")
    return value


def version_of(location: str) -> str | None:
    """The release in a download URL, such as `v0.5.0`."""
    found = _RELEASE.search(location)
    return found[1] if found else None


def architecture_of(location: str) -> str | None:
    """The platform at the end of a download URL, such as `linux-amd64`."""
    found = _PLATFORM.search(location)
    return f"{found[1]}-{found[2]}" if found else None


def _malformed(why: str) -> ToolFailure:
    return conflict(
        f"{KEY} of ConfigMap {CONFIG_MAP} cannot be read: {why}; nothing was changed",
        "correct it with k8s_patch_resource; the controller cannot load plugins from it either",
    )
