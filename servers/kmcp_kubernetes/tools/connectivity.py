"""Whether a Service can be reached, and if not, where it fails."""

import asyncio
import time
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from kmcp_kubernetes.client import Kube
from kmcp_kubernetes.description.network import port_in_words
from kmcp_kubernetes.services import endpoints, probe_pod, targets
from kmcp_kubernetes.services.endpoints import Endpoints
from kmcp_kubernetes.services.targets import Target
from kmcp_runtime import (
    DryRun,
    Effect,
    EffectByArgument,
    OptionalNamespace,
    Result,
    Rule,
    TimeoutSeconds,
    ToolFailure,
    listed,
    tool,
)
from kmcp_runtime.judging import READS, writes
from kmcp_runtime.kube import objects

Stage = Literal["service", "endpoints", "connect", "http"]
_EXCERPT = 500
# Texts of Go's HTTP client in the API server: the port was open, but what answered was not HTTP.
_NOT_HTTP = (
    "malformed HTTP",
    "EOF",
    "tls:",
    "server gave HTTP response to HTTPS client",
    "transport connection broken",
)
_NO_ENDPOINTS_OBJECT = (
    "the API server's proxy needs an Endpoints object, which this Service has none of (its EndpointSlices were made by "
    "hand); mode=pod connects to the Service itself"
)
PortWord = Annotated[
    str | None,
    BeforeValidator(lambda port: str(port) if isinstance(port, int) else port),
    WithJsonSchema({"type": "string"}),
    "Name or number",
]


class Connectivity(Result):
    """How far a connection to a Service gets."""

    service: str
    namespace: str
    reachable: bool | None = Field(default=None, description="Absent in a dry run")
    stage: Stage | None = Field(default=None, description="Where it failed")
    reason: str | None = None
    service_type: str
    ports: list[str]
    ready_endpoints: int
    not_ready_endpoints: int
    terminating_endpoints: int | None = Field(default=None, description="Those not ready because their pods end")
    http_status: int | None = None
    latency_ms: float | None = None
    body_excerpt: str | None = None
    dry_run: bool | None = None


@tool(
    Effect.WRITE,
    # Through the proxy it is one GET; the other mode creates a pod.
    by=EffectByArgument("mode", {"proxy": Effect.READ}),
    needs=(
        Rule("", ("services",), ("get",)),
        Rule("discovery.k8s.io", ("endpointslices",), ("list",)),
        Rule("", ("services/proxy",), ("get",)),
        Rule("", ("pods",), ("create", "get", "delete")),
    ),
    idempotent=True,
)
async def k8s_check_service_connectivity(
    kube: Kube,
    service_name: Annotated[str, "name, name:port, name.namespace"],
    namespace: OptionalNamespace = None,
    port: PortWord = None,
    path: Annotated[str, "HTTP path"] = "/",
    mode: Annotated[Literal["proxy", "pod"], "HTTP by the API server; TCP from a pod"] = "proxy",
    timeout_seconds: TimeoutSeconds = 10,
    dry_run: DryRun = False,
) -> Connectivity:
    """Check whether a Service answers, and if not at which stage it fails and why."""
    namespace = kube.namespace(namespace)
    target = targets.target(service_name, namespace, port)
    service, found = await _read_service(kube, target)
    spec = service.get("spec") or {}
    result = Connectivity(
        service=target.name,
        namespace=target.namespace,
        service_type=spec.get("type", "ClusterIP"),
        ports=[port_in_words(each) for each in spec.get("ports") or ()],
        ready_endpoints=len(found.ready),
        not_ready_endpoints=len(found.not_ready),
        terminating_endpoints=len(found.terminating) or None,
        dry_run=dry_run or None,
    )
    if await _answer_early(kube, result, service, found, mode):
        return result
    chosen = _port(service, target.port)
    lost = endpoints.missing_target(service, chosen, found)
    if lost:
        return _failed(result, "endpoints", lost)
    if mode == "proxy":
        result = await _connect_through_proxy(kube, result, chosen, path, timeout_seconds)
    else:
        result = await _connect_from_pod(kube, result, _address(service, found, chosen), chosen, timeout_seconds)
    if result.stage == "connect" and "refused" in (result.reason or ""):
        pods = await _list_pods(kube, service)
        number = found.ports.get(chosen.get("name") or "")
        result.hint = endpoints.nothing_listens(chosen, number, pods) if pods else None
    return result


async def _read_service(kube: Kube, target: Target) -> tuple[objects.Object, Endpoints]:
    place = await kube.place("services", target.namespace)
    selector = f"{endpoints.SERVICE_LABEL}={target.name}"
    service, slices = await asyncio.gather(
        kube.read(place, target.name),
        kube.list_objects("endpointslices.discovery.k8s.io", target.namespace, selector=selector),
    )
    return service, endpoints.of_slices(slices)


async def _answer_early(
    kube: Kube, result: Connectivity, service: Mapping[str, Any], found: Endpoints, mode: str
) -> bool:
    """Complete the answer if it is known without a connection; True if so."""
    if result.service_type == endpoints.EXTERNAL_NAME:
        if mode == "proxy":
            _failed(result, "service", f"it is only an alias of {service['spec'].get('externalName')}: use mode=pod")
        return mode == "proxy"
    if not found.ready:
        pods = await _list_pods(kube, service)
        _failed(result, "endpoints", await endpoints.why_none_ready(kube, service, found, pods))
        result.hint = f"k8s_describe_resource resource_type=services resource_name={result.service} lists its pods"
    return not found.ready


async def _list_pods(kube: Kube, service: Mapping[str, Any]) -> list[Any] | None:
    """Pods that the selector matches, to explain why none is ready; None when this identity may not list them."""
    selector = endpoints.selector(service)
    if selector is None:
        return []
    try:
        return await kube.list_objects("pods", service["metadata"]["namespace"], selector=selector)
    except ToolFailure:  # That there are no endpoints is the answer; the reason only improves it.
        return None


def _port(service: Mapping[str, Any], wanted: str | None) -> Mapping[str, Any]:
    if (service.get("spec") or {}).get("type") == endpoints.EXTERNAL_NAME and wanted and wanted.isdecimal():
        return {"port": int(wanted)}
    return targets.port_of(service, wanted)


def _address(service: Mapping[str, Any], found: Endpoints, port: Mapping[str, Any]) -> tuple[str, int]:
    """Where a pod connects to: a headless Service has no address of its own, and it does not translate ports."""
    spec = service["spec"]
    if spec.get("type") == endpoints.EXTERNAL_NAME:
        return str(spec["externalName"]), int(port["port"])
    if spec.get("clusterIP") not in (None, "", "None"):
        return str(spec["clusterIP"]), int(port["port"])
    return next(iter(found.ready)), found.ports.get(port.get("name") or "") or int(port["port"])


async def _connect_through_proxy(
    kube: Kube, result: Connectivity, port: Mapping[str, Any], path: str, seconds: int
) -> Connectivity:
    known = path in ("/", *listed(kube.settings.probe_paths))
    # A GET is only as harmless as the application makes it: what a path of the caller does is not known here.
    verdict = READS if known else writes(f"asks Service {result.namespace}/{result.service} for {path}")
    where, query = targets.proxied(result.namespace, result.service, port, path)
    started = time.perf_counter()
    try:
        async with asyncio.timeout(seconds):
            status, content = await kube.api.fetch_answer(where, query, verdict=verdict)
    except TimeoutError:
        return _failed(result, "connect", f"no answer within {seconds} s")
    result.latency_ms = round((time.perf_counter() - started) * 1000, 1)
    failure = kube.api.explain(status, content) if status >= 400 else None
    # A Status is the API server's own answer; any other error body comes from the Service.
    if failure and failure.status.get("kind") == "Status":
        # The Service was read a moment ago: what is missing is the object that the proxy looks its addresses up in.
        # A Service that is an API server itself may miss something else.
        missing = (failure.status.get("details") or {}).get("name")
        if failure.http_status == 404 and missing == result.service and result.ready_endpoints:
            return _failed(result, "connect", _NO_ENDPOINTS_OBJECT)
        # This identity may not use the proxy, which says nothing about the Service.
        if failure.http_status in (401, 403):
            raise failure
        return _failed(
            result, "http" if any(word in failure.message for word in _NOT_HTTP) else "connect", failure.message
        )
    result.reachable, result.http_status = True, status
    result.body_excerpt = content[:_EXCERPT].decode(errors="replace") or None
    if status >= 500:
        result.hint = "It answers, but with an error of its own: the logs of its pods (k8s_get_pod_logs) may say why."
    return result


async def _connect_from_pod(
    kube: Kube, result: Connectivity, address: tuple[str, int], port: Mapping[str, Any], seconds: int
) -> Connectivity:
    if port.get("protocol", "TCP") != "TCP":
        return _failed(result, "connect", f"port {port['port']} is {port['protocol']}; only TCP can be connected to")
    host, number = address
    outcome = await probe_pod.connect(kube, result.namespace, host, number, seconds, bool(result.dry_run))
    result.warnings = [outcome.warning] if outcome.warning else None
    if result.dry_run:
        pod = f"a pod in namespace {result.namespace}"
        result.hint = f"Would connect to {host}:{number} from {pod}; the API server would admit it."
        return result
    result.reachable = outcome.connected
    return result if outcome.connected else _failed(result, "connect", outcome.reason or "no connection")


def _failed(result: Connectivity, stage: Stage, reason: str) -> Connectivity:
    result.reachable, result.stage, result.reason = False, stage, reason
    return result
