"""From a manifest to a model, or to all of its faults at once."""

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kmcp_runtime import durations
from kmcp_runtime.catalog import Fault, InvalidDocumentError, digest, survey
from kmcp_runtime.findings import Path

from .model import (
    API_VERSION,
    KIND,
    LAUNCHERS,
    OURS,
    Deployment,
    Extensions,
    HttpTransport,
    MCPServer,
    Platform,
    Spec,
    adapter_of,
    is_suite_image,
)
from .repair import Repaired, as_written, joined, repair

_LONGEST_ECHO = 80
_NEAR = 0.8  # RemoteMCPServer, another kind, has 0.75
ANNOTATION = OURS + "extensions"
SELECTOR_LABELS = ("app.kubernetes.io/name", "app.kubernetes.io/instance")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VOLUMES = ("config", "binary", "scratch")


class RefusedError(InvalidDocumentError):
    """A manifest that was not accepted; `reason` is that of the condition Accepted."""

    @property
    def reason(self) -> str:
        transport = any(fault.path == ("spec", "transportType") for fault in self.faults)
        return "UnsupportedTransport" if transport else "InvalidConfig"


class NotAllowedError(RefusedError):
    """A manifest that asks for what its author may not be known to have."""

    @property
    def reason(self) -> str:
        return "NotAllowed"


def parse(manifest: Mapping[str, Any], platform: Platform) -> MCPServer:
    """The model of `manifest`; RefusedError holds every fault as `path: fault; next step`."""
    faults: list[Fault] = []
    metadata = _metadata(manifest, faults)
    identity = list(_identity(manifest, metadata))
    # "Put it in quotes" is no help where the text would be refused next.
    faults = [each for each in faults if each.path not in {fault.path for fault in identity}] + identity
    body = _part(manifest, "spec", ("spec",), faults)
    spec = repair(Spec, body, ("spec",)) if body is not None else Repaired()
    block, root = _extensions(metadata, (body or {}).get("extensions"), faults)
    extensions = repair(Extensions, block or {}, root)
    faults += [*spec.faults, *extensions.faults]
    meant = [*_meant(spec, metadata), *_meant_together(spec, extensions, root, platform)]
    faults = joined(faults, [*meant, *_policy(metadata, extensions.model, platform)], (spec, extensions))
    if faults or not spec.model or not extensions.model:
        raise RefusedError(faults)
    ours = {key: value for key, value in metadata.get("annotations", {}).items() if key.startswith(OURS)}
    return _server(metadata, spec.model, extensions.model, ours, digest(block)[:19] if block else None)


def _server(
    metadata: Mapping[str, Any], spec: Spec, extensions: Extensions, ours: Mapping[str, str], block_hash: str | None
) -> MCPServer:
    return MCPServer(
        name=metadata["name"],
        namespace=metadata.get("namespace") or "default",
        uid=metadata.get("uid") or "",
        generation=metadata.get("generation") or 0,
        annotations=ours,
        transport="stdio" if spec.transport_type == "stdio" else "http",
        timeout=_duration(spec.timeout) or 0.0,
        timeout_text=spec.timeout,
        http=spec.http_transport,
        deployment=spec.deployment,
        extensions=extensions,
        extensions_hash=block_hash,
    )


def _meant(spec: Repaired[Spec], metadata: Mapping[str, Any]) -> Iterator[Fault]:
    if spec.model:
        yield from _spec(spec.model)
        yield from _deployment(spec.model.deployment, spec.model.transport_type, metadata.get("name", ""))


def _meant_together(
    spec: Repaired[Spec], extensions: Repaired[Extensions], root: Path, platform: Platform
) -> Iterator[Fault]:
    if extensions.model:
        yield from _block(extensions.model, root)
    if spec.model and extensions.model:
        yield from _together(spec.model, extensions.model, root, platform)


def _part(holder: Mapping[str, Any], name: str, path: Path, faults: list[Fault]) -> Mapping[str, Any] | None:
    """A mapping that an API server ensures, and a file does not; empty when it is absent, None when it is a fault."""
    part = holder.get(name)
    if part is None or isinstance(part, Mapping):
        return part or {}
    faults.append(Fault(path, "is not a mapping; write key: value pairs"))
    return None


def _metadata(manifest: Mapping[str, Any], faults: list[Fault]) -> Mapping[str, Any]:
    """The metadata, without what an API server would not have let in."""
    found = dict(_part(manifest, "metadata", ("metadata",), faults) or {})
    for name in ("annotations", "labels"):
        part = _part(found, name, ("metadata", name), faults) or {}
        for key, value in part.items():
            if value is None:
                continue  # which an API server drops
            if isinstance(value, Mapping | list):
                text = "is not a text; write | after the key, so that what is below becomes one"
                faults.append(Fault(("metadata", name, key), text))
            elif not isinstance(value, str):
                faults.append(Fault(("metadata", name, key), "is not a text; put it in quotes"))
        # A forgotten `|` should not hide what is below it.
        found[name] = {key: value for key, value in part.items() if isinstance(value, str) or key == ANNOTATION}
    for name in ("name", "namespace", "uid"):
        if name in found and not isinstance(found[name], str | None):
            is_plain = isinstance(found[name], int | float)
            step = "put it in quotes" if is_plain else "write one"
            faults.append(Fault(("metadata", name), f"is not a text; {step}"))
            found[name] = as_written(found[name]) if is_plain else ""
    return found


def carried(manifest: Mapping[str, Any]) -> tuple[Mapping[str, Any] | None, Path]:
    """The extensions of a manifest that may have faults, from either carrier, and where they stand."""
    ignored: list[Fault] = []
    body = _part(manifest, "spec", ("spec",), ignored) or {}
    return _extensions(_metadata(manifest, ignored), body.get("extensions"), ignored)


def is_meant(kind: Any) -> bool:
    """A kind is ours, or ours misspelt: `mcpserver`, `MCPServers`."""
    return isinstance(kind, str) and bool(difflib.get_close_matches(kind.lower(), [KIND.lower()], cutoff=_NEAR))


def _identity(manifest: Mapping[str, Any], metadata: Mapping[str, Any]) -> Iterator[Fault]:
    version, kind = manifest.get("apiVersion"), manifest.get("kind")
    if kind != KIND:
        text = f"is {kind!r}; write {KIND}" if is_meant(kind) else f"is not {KIND} of {API_VERSION}; write both"
        yield Fault(("kind",), text)
    elif version != API_VERSION:
        given = f"is {str(version)[:_LONGEST_ECHO]!r}" if version is not None else "is required"
        yield Fault(("apiVersion",), f"{given}; write {API_VERSION}")
    name, namespace = metadata.get("name"), metadata.get("namespace")
    rule = "lower-case letters, digits and -, at most 63 characters, no dots"
    if not isinstance(name, str) or not _LABEL.fullmatch(name):
        yield Fault(("metadata", "name"), f"becomes a Service name and a label value: use {rule}")
    if namespace and not _LABEL.fullmatch(namespace):
        yield Fault(("metadata", "namespace"), f"is not a valid name of a namespace: use {rule}")


def _extensions(metadata: Mapping[str, Any], field: Any, faults: list[Fault]) -> tuple[Mapping[str, Any] | None, Path]:
    """The block from either carrier, and where it stands."""
    carried = metadata.get("annotations", {}).get(ANNOTATION)
    path = ("metadata", "annotations", ANNOTATION)
    if carried is None:
        return (field if isinstance(field, Mapping) else None), ("spec", "extensions")
    if isinstance(carried, Mapping):  # a forgotten `|`, which is a fault already
        return carried, path
    if not isinstance(carried, str):
        return None, path
    found = survey(carried)
    unreadable = [Fault((*path, *fault.path), fault.text) for each in found for fault in each.faults]
    faults += unreadable
    block = found[0].data if len(found) == 1 else None
    if not isinstance(block, Mapping):
        if not unreadable:
            faults.append(Fault(path, "must be a mapping; write key: value pairs"))
        return None, path
    # The annotation wins by existing: upstream's definition prunes the field, so only it survives there.
    if field is not None and field != block:
        faults.append(Fault(path, "differs from spec.extensions; keep one of the two"))
    return block, path


def _spec(spec: Spec) -> Iterator[Fault]:
    if spec.transport_type not in ("stdio", "http"):
        given = f"is {spec.transport_type!r}" if spec.transport_type else "is required, it is never guessed"
        yield Fault(("spec", "transportType"), f"{given}; write stdio or http")
    if spec.stdio_transport:
        yield Fault(("spec", "stdioTransport"), "takes no fields; write {}")
    yield from _http(spec.http_transport)
    seconds = _duration(spec.timeout)
    if seconds is None or not 1 <= seconds <= 600:
        yield Fault(("spec", "timeout"), f'is {spec.timeout!r}; write a duration from 1s to 10m, such as "30s"')


def _http(http: HttpTransport) -> Iterator[Fault]:
    if http.target_port is not None and not 0 <= http.target_port <= 65535:
        path = ("spec", "httpTransport", "targetPort")
        yield Fault(path, f"is {http.target_port}; write 1 to 65535, or leave it out")
    if http.path and not http.path.startswith("/"):
        yield Fault(("spec", "httpTransport", "path"), f"does not start with /; write /{http.path}")


def _duration(text: str) -> float | None:
    """Seconds of the field, which kagent's Go client reads too; None when it is not a duration to Go."""
    try:
        return durations.parse_go(text)
    except ValueError:
        return None


def _deployment(deployment: Deployment, transport: str | None, name: str) -> Iterator[Fault]:
    def fault(field: str, text: str) -> Fault:
        return Fault(("spec", "deployment", field), text)

    if not 1 <= deployment.port <= 65535:
        yield fault("port", f"is {deployment.port}; write 1 to 65535")
    if not deployment.image and deployment.cmd not in LAUNCHERS:
        yield fault("image", f"is required unless cmd is {' or '.join(LAUNCHERS)}; name the server's image")
    if transport == "stdio" and not deployment.cmd:
        yield fault("cmd", "is required for stdio; write the command that speaks MCP on its standard streams")
    if deployment.service_account and deployment.service_account_name:
        yield fault("serviceAccountName", "is set together with serviceAccount; keep one")
    if deployment.replicas is not None and deployment.replicas < 0:
        yield fault("replicas", f"is {deployment.replicas}; write 0 or more")
    # A Deployment's selector cannot be changed, so pods without these labels would belong to nobody.
    for label in SELECTOR_LABELS:
        if deployment.labels.get(label, name) != name:
            yield fault("labels", f"changes {label}, by which the pods are selected; leave it out")
    yield from (fault("volumes", text) for text in _names(deployment.volumes, _VOLUMES, "cm-"))
    yield from (fault("sidecars", text) for text in _names(deployment.sidecars, ("mcp-server", "copy-binary"), "\n"))
    references = [reference.name for reference in deployment.config_map_refs]
    yield from (fault("configMapRefs", f"{name} is listed twice; keep one") for name in _twice(references))


def _names(objects: Iterable[Mapping[str, Any]], ours: tuple[str, ...], prefix: str) -> Iterator[str]:
    names = [str(each.get("name", "")) for each in objects]
    if "" in names:
        yield "one has no name; name it"
    for name in names:
        if name in ours or name.startswith(prefix):
            yield f"{name} is reserved; rename it"
    yield from (f"{name} is used twice; rename one" for name in _twice(names))


def _twice(names: list[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if name and count > 1)


def _block(extensions: Extensions, root: Path) -> Iterator[Fault]:
    if extensions.network and extensions.network.ingress_from is None and extensions.network.egress_to is None:
        yield Fault((*root, "network"), "would forbid all traffic; set ingressFrom or egressTo")
    for name in _twice([entry.name for entry in extensions.env]):
        yield Fault((*root, "env"), f"{name} is listed twice; keep one")
    given: dict[str, list[tuple[str | None, object]]] = {
        "env": [(each.value, each.value_from) for each in extensions.env],
        "headersFrom": [(each.value, each.value_from) for each in extensions.headers_from],
    }
    for field, entries in given.items():
        for index, (value, source) in enumerate(entries):
            if (value is None) == (source is None):
                yield Fault((*root, field, index), "needs exactly one of value and valueFrom; set one")
    for index, header in enumerate(extensions.headers_from):
        if not _HEADER.fullmatch(header.name):
            yield Fault((*root, "headersFrom", index, "name"), f"is {header.name!r}; write a valid header name")


def _together(spec: Spec, extensions: Extensions, root: Path, platform: Platform) -> Iterator[Fault]:
    deployment = spec.deployment
    for entry in extensions.env:
        if entry.name in deployment.env:
            yield Fault((*root, "env"), f"{entry.name} is also set in deployment.env; keep one")
    if not deployment.image and deployment.cmd not in LAUNCHERS:
        return  # a fault already; whose image it will be is not known
    suite = is_suite_image(deployment.image, platform)
    adapter = adapter_of(spec.transport_type, deployment, extensions.stdio_adapter, platform)
    if extensions.tools is not None and adapter == "none" and not suite:
        yield Fault(
            (*root, "tools"),
            "cannot be enforced on an image that is not the suite's; remove it, or use a suite image or stdio",
        )
    if extensions.rbac != "none" and not suite:
        text = "needs an image of the suite, whose needs are known; remove it and use deployment.serviceAccountName"
        yield Fault((*root, "rbac"), text)
    elif extensions.rbac != "none" and extensions.rbac not in platform.server_roles:
        text = f"{extensions.rbac} is not allowed on this platform; write none, or set rbac.serverRoles"
        yield Fault((*root, "rbac"), text)
    if extensions.read_only and not suite:
        yield Fault(
            (*root, "readOnly"),
            "cannot be enforced on an image that is not the suite's; remove it, or use a suite image",
        )
    elif extensions.read_only and adapter == "agentgateway":
        yield Fault((*root, "readOnly"), "cannot be enforced by agentgateway; remove it, or use stdioAdapter: bridge")


def _policy(metadata: Mapping[str, Any], extensions: Extensions | None, platform: Platform) -> Iterator[Fault]:
    path = ("metadata", "annotations", OURS + "pin")
    pin = (metadata.get("annotations") or {}).get(OURS + "pin", "off")
    if pin not in ("off", "warn", "block"):
        yield Fault(path, f"is {pin!r}; write off, warn or block")
    elif pin == "block" and not platform.allow_block:
        yield Fault(path, "block is not allowed on this platform; write warn, or set catalog.pinning.allowBlock")
    strategy = extensions.update_strategy if extensions else None
    if pin == "block" and strategy and strategy.type == "Recreate":
        yield Fault(
            path, "block keeps old pods until new ones match, but updateStrategy Recreate ends them first; keep one"
        )
