"""Traffic router plugins: what the controller is configured to load, and what its log says became of it. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from kmcp_runtime import ToolFailure, conflict

CONFIG_MAP = "argo-rollouts-config"
KEY = "trafficRouterPlugins"
GATEWAY_API = "argoproj-labs/gatewayAPI"
Entry = dict[str, Any]
Object = Mapping[str, Any]

_RELEASE = re.compile(r"/(v\d[^/]*)/")
_PLATFORM = re.compile(r"-(linux|darwin|windows)-([a-z0-9]+)(?:\.exe)?$")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|us|µs|ns|m|s)")
_UNIT_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


def entries(config: Object | None) -> list[Entry]:
    """The configured plugins; `conflict` when what is there cannot be read."""
    text = ((config or {}).get("data") or {}).get(KEY) or ""
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        problem = getattr(error, "problem", None) or "no valid YAML"
        raise _malformed(f"{problem}{place}") from None
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(each, dict) and each.get("name") for each in found):
        raise _malformed("it is no list of entries with a name")
    return found


def with_entry(known: Iterable[Entry], wanted: Entry) -> list[Entry]:
    """The list with one entry added or updated and all others kept."""
    kept = list(known)
    for index, each in enumerate(kept):
        if each["name"] == wanted["name"]:
            merged = {**each, **wanted}
            if wanted["location"] != each.get("location") and "sha256" not in wanted:
                merged.pop("sha256", None)  # The checksum of another file.
            return [*kept[:index], merged, *kept[index + 1 :]]
    return [*kept, wanted]


def written(known: list[Entry]) -> str:
    return yaml.safe_dump(known, sort_keys=False)


def version_of(location: str) -> str | None:
    """`v0.5.0` of a release's address."""
    found = _RELEASE.search(location)
    return found[1] if found else None


def architecture_of(location: str) -> str | None:
    """`linux-amd64` of a release's file."""
    found = _PLATFORM.search(location)
    return f"{found[1]}-{found[2]}" if found else None


@dataclass
class Loading:
    """What a controller's log says of one plugin."""

    found: bool = False
    loaded: bool = False
    source: str | None = None
    seconds: float | None = None
    errors: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


def loading(log: Iterable[str], plugin: str) -> Loading:
    """The story of a plugin; that a download is complete is told without its name, after the line that names it."""
    seen, current = Loading(), False
    for line in log:
        started = re.search(r"Downloading plugin (\S+) from: ([^\s\"]+)", line)
        if started:
            current = started[1] == plugin
            if current:
                seen.found, seen.loaded, seen.source = True, False, started[2]
        elif "Download complete, it took" in line and current:
            seen.loaded, seen.seconds = True, seconds_of(line.rpartition("it took ")[2].strip('" '))
        elif "Copied plugin from" in line and line.rstrip('" ').endswith(plugin):
            seen.found = seen.loaded = True
            seen.source = line.partition("Copied plugin from ")[2].partition(" to ")[0]
        elif "failed to" in line and "lugin" in line and (current or plugin in line):
            seen.found, seen.loaded = True, False
            seen.errors.append(line)
        else:
            continue
        if current or plugin in line:
            seen.lines.append(line)
    return seen


def seconds_of(duration: str) -> float | None:
    """Seconds of a Go duration such as `734.5ms` or `1m2.3s`."""
    parts = _DURATION.findall(duration)
    if not parts or "".join(number + unit for number, unit in parts) != duration:
        return None
    return round(sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts), 6)


def _malformed(why: str) -> ToolFailure:
    return conflict(
        f"{KEY} of ConfigMap {CONFIG_MAP} cannot be read: {why}; nothing was changed",
        "correct it with k8s_patch_resource; the controller does not load plugins from it either",
    )
