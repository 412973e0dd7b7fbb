"""The Secrets and ConfigMaps that a pod reads, what is missing of them, and a hash over their values."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kmcp_controller.cluster.client import Cluster
from kmcp_controller.render import pod
from kmcp_controller.spec import MCPServer, Platform
from kmcp_runtime.catalog import digest
from kmcp_runtime.kube.failures import StatusFailure

_REASON = {
    "Secret": "SecretNotFound",
    "ConfigMap": "ConfigMapNotFound",
    "ServiceAccount": "ServiceAccountNotFound",
}


@dataclass(frozen=True)
class Reference:
    kind: str
    name: str
    key: str = ""  # empty: the whole object
    optional: bool = False
    rolls: bool = True  # a change of its data changes what the pod does


@dataclass(frozen=True)
class Resolved:
    hash: str | None  # None: the pod reads nothing, or Secrets may not be read
    missing: tuple[tuple[str, str], ...] | None  # reason, message; None: not checked
    checked: bool = True


def wanted(server: MCPServer, platform: Platform) -> list[Reference]:
    """All of them, once each; what the server's own objects provide is left out."""
    spec = pod(server, platform)
    own = Reference("ConfigMap", server.name)
    found = [each for each in _of_pod(spec) if each != own or server.transport == "http"]
    if server.deployment.service_account_name:
        found.append(Reference("ServiceAccount", server.deployment.service_account_name, rolls=False))
    if server.http.tls and server.http.tls.secret_ref:
        found.append(Reference("Secret", server.http.tls.secret_ref, rolls=False))
    for header in server.extensions.headers_from:
        if (source := header.value_from) is not None:
            found.append(Reference(source.type, source.name, source.key, rolls=False))
    return list(dict.fromkeys(found))  # once each, in order


def _of_pod(spec: Mapping[str, Any]) -> Iterator[Reference]:
    for container in [*spec.get("initContainers", ()), *spec["containers"]]:
        for source in container.get("envFrom") or ():
            yield from _source(source, "secretRef", "configMapRef")
        for entry in container.get("env") or ():
            yield from _source(entry.get("valueFrom") or {}, "secretKeyRef", "configMapKeyRef")
    for volume in spec.get("volumes") or ():
        yield from _source(volume, "secret", "configMap")
        for source in (volume.get("projected") or {}).get("sources") or ():
            yield from _source(source, "secret", "configMap")


def _source(entry: Mapping[str, Any], secret: str, config_map: str) -> Iterator[Reference]:
    for field, kind in ((secret, "Secret"), (config_map, "ConfigMap")):
        given = entry.get(field) or {}
        name = given.get("name") or given.get("secretName")
        if name:
            yield Reference(kind, name, given.get("key", ""), bool(given.get("optional")))


async def resolve(cluster: Cluster, namespace: str, references: Iterable[Reference], secrets: bool) -> Resolved:
    """Look at each object; `secrets` False: Secrets may not be read, so nothing is said of them."""
    references = list(references)
    places = {(each.kind, each.name) for each in references}
    if any(kind == "Secret" for kind, _ in places) and not secrets:
        return Resolved(None, None, checked=False)
    ordered = sorted(places)
    try:
        objects = await asyncio.gather(*(cluster.read(kind, namespace, name) for kind, name in ordered))
    except StatusFailure as failure:
        if failure.http_status != 403:
            raise
        return Resolved(None, None, checked=False)
    found = dict(zip(ordered, objects, strict=True))
    missing = [text for each in references if (text := _missing(each, found[each.kind, each.name]))]
    rolling = {(each.kind, each.name) for each in references if each.rolls}
    lines = sorted(line for place in rolling for line in _lines(*place, found[place]))
    return Resolved(digest(lines).removeprefix("sha256:")[:16] if lines else None, tuple(missing))


def _missing(reference: Reference, found: Mapping[str, Any] | None) -> tuple[str, str] | None:
    if reference.optional:
        return None
    what = f"{reference.kind} {reference.name}"
    if found is None:
        return _REASON[reference.kind], f"{what} does not exist; create it"
    keys = {*(found.get("data") or {}), *(found.get("binaryData") or {})}
    if reference.key and reference.key not in keys:
        return _REASON[reference.kind], f"{what} has no key {reference.key}; add it"
    return None


def _lines(kind: str, name: str, found: Mapping[str, Any] | None) -> Iterator[list[str]]:
    """Keyed by the object's UID: who reads only the Deployment cannot test guesses of the values."""
    if found is None:
        yield [kind, name, "", "absent"]
        return
    secret = found["metadata"]["uid"].encode()
    text = {key: value.encode() for key, value in (found.get("data") or {}).items()}
    if kind == "Secret":
        text = {key: base64.b64decode(value) for key, value in text.items()}
    binary = {key: base64.b64decode(value) for key, value in (found.get("binaryData") or {}).items()}
    for key, value in {**text, **binary}.items():
        yield [kind, name, key, hmac.new(secret, value, hashlib.sha256).hexdigest()]
