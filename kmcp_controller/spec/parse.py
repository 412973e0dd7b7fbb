"""From a manifest to a model, or to all of its faults at once."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from kmcp_runtime import durations
from kmcp_runtime.catalog import Fault, InvalidDocumentError, digest, documents, faults_of

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

M = TypeVar("M", bound=BaseModel)
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


def parse(manifest: Mapping[str, Any], platform: Platform) -> MCPServer:
    """The model of `manifest`; RefusedError holds every fault as `path: fault; next step`."""
    _check_shape(manifest)
    metadata = manifest.get("metadata") or {}
    faults = list(_identity(manifest, metadata))
    spec = _model(Spec, manifest.get("spec") or {}, ("spec",), faults)
    block, root = _extensions(metadata, (manifest.get("spec") or {}).get("extensions"), faults)
    extensions = _model(Extensions, block or {}, root, faults)
    if spec:
        faults += _spec(spec)
        faults += _deployment(spec.deployment, spec.transport_type, metadata.get("name", ""))
    if extensions:
        faults += _block(extensions, root)
    if spec and extensions:
        faults += _together(spec, extensions, root, platform)
    faults += _policy(metadata, extensions, platform)
    if faults or not spec or not extensions:
        raise RefusedError(faults)
    ours = {key: value for key, value in (metadata.get("annotations") or {}).items() if key.startswith(OURS)}
    return MCPServer(
        name=metadata["name"],
        namespace=metadata.get("namespace") or "default",
        uid=metadata.get("uid", ""),
        generation=metadata.get("generation", 0),
        annotations=ours,
        transport="stdio" if spec.transport_type == "stdio" else "http",
        timeout=_duration(spec.timeout) or 0.0,
        timeout_text=spec.timeout,
        http=spec.http_transport,
        deployment=spec.deployment,
        extensions=extensions,
        extensions_hash=digest(block)[:19] if block else None,
    )


def _model(model: type[M], data: Any, root: tuple[str, ...], faults: list[Fault]) -> M | None:
    try:
        return model.model_validate(data, by_alias=True, by_name=False)
    except ValidationError as error:
        faults += faults_of(error, model, root)
        return None


def _check_shape(manifest: Mapping[str, Any]) -> None:
    """What an API server ensures, and a file does not: refused before anything is read of it."""
    metadata = manifest.get("metadata") or {}
    parts: dict[tuple[str, ...], Any] = {("metadata",): metadata, ("spec",): manifest.get("spec") or {}}
    if isinstance(metadata, Mapping):
        parts |= {("metadata", name): metadata.get(name) or {} for name in ("annotations", "labels")}
    faults = [
        Fault(path, "is not a mapping; write key: value pairs")
        for path, part in parts.items()
        if not isinstance(part, Mapping)
    ]
    annotations = parts.get(("metadata", "annotations"), {})
    if isinstance(annotations, Mapping):
        texts = [key for key, value in annotations.items() if not isinstance(value, str)]
        faults += [Fault(("metadata", "annotations", str(key)), "is not a text; put it in quotes") for key in texts]
    if faults:
        raise RefusedError(faults)


def _identity(manifest: Mapping[str, Any], metadata: Mapping[str, Any]) -> Iterator[Fault]:
    if (manifest.get("apiVersion"), manifest.get("kind")) != (API_VERSION, KIND):
        yield Fault(("kind",), f"is not {KIND} of {API_VERSION}; write both")
    name = metadata.get("name")
    if not isinstance(name, str) or not _LABEL.fullmatch(name):
        rule = "lower-case letters, digits and -, at most 63 characters, no dots"
        yield Fault(("metadata", "name"), f"becomes a Service name and a label value: use {rule}")


def _extensions(
    metadata: Mapping[str, Any], field: Any, faults: list[Fault]
) -> tuple[Mapping[str, Any] | None, tuple[str, ...]]:
    """The block from either carrier, and where it stands."""
    text = (metadata.get("annotations") or {}).get(ANNOTATION)
    path = ("metadata", "annotations", ANNOTATION)
    if text is None:
        return (field if isinstance(field, Mapping) else None), ("spec", "extensions")
    try:
        found = [each.data for each in documents(text)]
    except InvalidDocumentError as error:
        faults += [Fault(path, fault.text) for fault in error.faults]
        return None, path
    block = found[0] if len(found) == 1 else None
    if not isinstance(block, Mapping):
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


def _block(extensions: Extensions, root: tuple[str, ...]) -> Iterator[Fault]:
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
                yield Fault((*root, field, str(index)), "needs exactly one of value and valueFrom; set one")
    for index, header in enumerate(extensions.headers_from):
        if not _HEADER.fullmatch(header.name):
            yield Fault((*root, "headersFrom", str(index), "name"), f"is {header.name!r}; write a valid header name")


def _together(spec: Spec, extensions: Extensions, root: tuple[str, ...], platform: Platform) -> Iterator[Fault]:
    deployment = spec.deployment
    for entry in extensions.env:
        if entry.name in deployment.env:
            yield Fault((*root, "env"), f"{entry.name} is also set in deployment.env; keep one")
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
