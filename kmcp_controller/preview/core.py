"""What the API server would refuse of a manifest's open parts, told without one: `kmcp-suite plan` asks here.

The types are those of Kubernetes' API description (`core_types.yaml`). A cluster has the last word: the controller
itself leaves these parts to it.
"""

import functools
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

from kmcp_controller.spec.parse import carried
from kmcp_runtime import image_names, yaml_text
from kmcp_runtime.catalog import Fault
from kmcp_runtime.errors import nearest
from kmcp_runtime.findings import Path
from kmcp_runtime.kube import quantities

_TOP = ("apiVersion", "kind", "metadata", "spec", "status")
_DEPLOYMENT: Path = ("spec", "deployment")
_EXTENSIONS: Path = ("spec", "extensions")
_PARTS: Mapping[Path, str] = {
    ("metadata",): "ObjectMeta",
    (*_DEPLOYMENT, "volumes"): "[Volume]",
    (*_DEPLOYMENT, "volumeMounts"): "[VolumeMount]",
    (*_DEPLOYMENT, "sidecars"): "[Container]",
    (*_DEPLOYMENT, "securityContext"): "SecurityContext",
    (*_DEPLOYMENT, "podSecurityContext"): "PodSecurityContext",
    (*_DEPLOYMENT, "resources"): "ResourceRequirements",
    (*_DEPLOYMENT, "tolerations"): "[Toleration]",
    (*_DEPLOYMENT, "affinity"): "Affinity",
    (*_DEPLOYMENT, "initContainer", "resources"): "ResourceRequirements",
    (*_DEPLOYMENT, "initContainer", "securityContext"): "SecurityContext",
    (*_EXTENSIONS, "probes"): "{Probe}",
}
"""The open parts of a manifest and their types."""
_UNIQUE = {"VolumeMount": "mountPath", "EnvVar": "name", "VolumeDevice": "devicePath", "LocalObjectReference": "name"}
"""The key of a list's elements, of which no two may be alike."""
_ALIEN = re.compile(r"[^\x21-\x7e]")
_LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")
_DOMAIN = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*"
_LABEL_KEY = re.compile(rf"(?:(?=[^/]{{1,253}}/){_DOMAIN}/)?[A-Za-z0-9](?:[A-Za-z0-9._-]{{0,61}}[A-Za-z0-9])?")
_VARIABLE = re.compile(r"[ -<>-~]+")
"""Since Kubernetes 1.32 every printable character of ASCII but `=`."""
_RENDERED = ("config", "binary", "scratch")  # volumes that rendering adds, and `cm-` for each ConfigMap


def core_faults(manifest: Mapping[str, Any]) -> list[Fault]:
    """Every fault of the parts that `parse` leaves open, whichever of the two carriers the extensions have."""
    block, root = carried(manifest)
    spec = manifest.get("spec")
    if root == _EXTENSIONS or not isinstance(spec, Mapping):
        return list(_faults(manifest))
    whole = {**manifest, "spec": {**spec, "extensions": block}}
    below = len(_EXTENSIONS)
    return [
        Fault((*root, *fault.path[below:]), fault.text) if fault.path[:below] == _EXTENSIONS else fault
        for fault in _faults(whole)
    ]


def _faults(manifest: Mapping[str, Any]) -> list[Fault]:
    found = [
        Fault((key,), f"unknown key; {_near(key, _TOP)}") for key in manifest if key not in _TOP and key is not None
    ]
    for path, kind in _PARTS.items():
        found += _check(_at(manifest, path), kind, path)
    for path in (("metadata",), _DEPLOYMENT, (*_DEPLOYMENT, "serviceAccount")):
        found += _labels(_at(manifest, (*path, "labels")), (*path, "labels"))
        found += _keys(_at(manifest, (*path, "annotations")), (*path, "annotations"))
    found += _labels(_at(manifest, (*_DEPLOYMENT, "nodeSelector")), (*_DEPLOYMENT, "nodeSelector"))
    return [*found, *_variables(manifest), *_images(manifest), *_mounts(manifest)]


@functools.cache
def _types() -> Mapping[str, Mapping[str, str]]:
    found: Mapping[str, Mapping[str, str]] = yaml_text.read(files(__package__).joinpath("core_types.yaml").read_text())
    return found


def _at(value: Any, path: Path) -> Any:
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _near(key: str, known: Any) -> str:
    close = nearest(key, known, count=1)
    return f'did you mean "{close[0]}"?' if close else "known here: " + ", ".join(sorted(known))


def _check(value: Any, kind: str, path: Path) -> Iterator[Fault]:
    """The faults of a value that should be of this kind; null is absent."""
    if value is None or kind == "any":
        return
    if kind[0] == "[":
        yield from _list(value, kind[1:-1], path)
    elif kind[0] == "{":
        if not isinstance(value, Mapping):
            yield Fault(path, "must be a mapping; write key: value pairs")
        else:
            for key, each in value.items():
                yield from _check(each, kind[1:-1], (*path, key))
    elif kind in _types():
        yield from _object(value, kind, path)
    else:
        yield from _plain(value, kind, path)


def _list(value: Any, kind: str, path: Path) -> Iterator[Fault]:
    if not isinstance(value, list):
        yield Fault(path, "must be a list; write [a, b]")
        return
    seen: set[str] = set()
    key = _UNIQUE.get(kind, "")
    for index, each in enumerate(value):
        yield from _check(each, kind, (*path, index))
        name = each.get(key) if isinstance(each, Mapping) else None
        if isinstance(name, str):
            if name in seen:
                yield Fault((*path, index, key), f"{name} is there twice; keep one")
            seen.add(name)


def _object(value: Any, kind: str, path: Path) -> Iterator[Fault]:
    if not isinstance(value, Mapping):
        yield Fault(path, "must be a mapping; write key: value pairs")
        return
    fields = {name.removesuffix("!"): each for name, each in _types()[kind].items()}
    for key, each in value.items():
        if key not in fields:
            yield Fault((*path, key), f"unknown key; {_near(key, fields)}")
        else:
            yield from _check(each, fields[key], (*path, key))
    for name in _types()[kind]:
        # A nameless container or volume is what `parse` tells.
        if name.endswith("!") and value.get(name[:-1]) is None and name not in ("name!",):
            yield Fault((*path, name[:-1]), "required; set it")


def _plain(value: Any, kind: str, path: Path) -> Iterator[Fault]:
    if kind == "text" and not isinstance(value, str):
        yield Fault(path, "must be text; put it in quotes")
    elif kind == "flag" and not isinstance(value, bool):
        yield Fault(path, "must be true or false; write one of them without quotes")
    elif kind == "whole" and (not isinstance(value, int) or isinstance(value, bool)):
        yield Fault(path, "must be a whole number; write it without quotes")
    elif kind == "quantity":
        try:
            quantities.parse(value)
        except ValueError:
            yield Fault(path, "is not a quantity; write a number and a suffix, such as 250m or 1.5Gi")


def _labels(labels: Any, path: Path) -> Iterator[Fault]:
    yield from _keys(labels, path)
    for key, value in labels.items() if isinstance(labels, Mapping) else ():
        if isinstance(value, str) and not _LABEL_VALUE.fullmatch(value):
            rule = "at most 63 letters, digits, -, _ and ., a letter or digit first and last"
            yield Fault((*path, key), f"is not a valid value of a label: use {rule}; or make it an annotation")


def _keys(labels: Any, path: Path) -> Iterator[Fault]:
    for key in labels if isinstance(labels, Mapping) else ():
        if not _LABEL_KEY.fullmatch(key):
            yield Fault((*path, key), "is not a valid key; use prefix/name of letters, digits, -, _ and .")


def _variables(manifest: Mapping[str, Any]) -> Iterator[Fault]:
    names: list[tuple[Path, Any]] = []
    env = _at(manifest, (*_DEPLOYMENT, "env"))
    names += [((*_DEPLOYMENT, "env", key), key) for key in (env if isinstance(env, Mapping) else ())]
    lists: list[tuple[Path, Any]] = [((*_EXTENSIONS, "env"), _at(manifest, (*_EXTENSIONS, "env")))]
    lists += [((*path, "env"), each.get("env")) for path, each in _elements(manifest, "sidecars")]
    for path, listed in lists:
        entries = listed if isinstance(listed, list) else []
        names += [((*path, at, "name"), each.get("name")) for at, each in enumerate(entries) if isinstance(each, dict)]
        for at, each in enumerate(entries):
            source = each.get("valueFrom") if isinstance(each, dict) else None
            if path == (*_EXTENSIONS, "env"):
                yield from _check(source, "EnvVarSource", (*path, at, "valueFrom"))
    for path, name in names:
        if isinstance(name, str) and not _VARIABLE.fullmatch(name):
            yield Fault(path, "is not a valid name of a variable; use printable characters of ASCII without =")


def _images(manifest: Mapping[str, Any]) -> Iterator[Fault]:
    paths: list[Path] = [(*_DEPLOYMENT, "image"), (*_DEPLOYMENT, "initContainer", "image")]
    images = [(path, _at(manifest, path)) for path in paths]
    images += [((*path, "image"), each.get("image")) for path, each in _elements(manifest, "sidecars")]
    for path, image in images:
        if isinstance(image, str) and image and not image_names.is_reference(image):
            alien = _ALIEN.search(image)
            what = f"has the character {alien[0]!r}; remove it" if alien else "write host/name:tag in lower case"
            yield Fault(path, f"is not a valid image; {what}" if not alien else what)


def _elements(manifest: Mapping[str, Any], name: str) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    found = _at(manifest, (*_DEPLOYMENT, name))
    for index, each in enumerate(found if isinstance(found, list) else ()):
        if isinstance(each, Mapping):
            yield (*_DEPLOYMENT, name, index), each


def _mounts(manifest: Mapping[str, Any]) -> Iterator[Fault]:
    volumes = {str(each.get("name")) for _, each in _elements(manifest, "volumes")}
    mounts = list(_elements(manifest, "volumeMounts"))
    for path, sidecar in _elements(manifest, "sidecars"):
        listed = sidecar.get("volumeMounts")
        entries = enumerate(listed if isinstance(listed, list) else ())
        mounts += [((*path, "volumeMounts", at), each) for at, each in entries if isinstance(each, Mapping)]
    for path, mount in mounts:
        name = mount.get("name")
        known = isinstance(name, str) and (name in volumes or name in _RENDERED or name.startswith("cm-"))
        if not known:
            text = f"{name} is not one of deployment.volumes" if name else "is required"
            yield Fault((*path, "name"), f"{text}; name one of them")
