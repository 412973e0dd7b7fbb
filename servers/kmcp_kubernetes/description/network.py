"""Services with their endpoints, Ingresses with where they lead."""

import asyncio
from collections.abc import Mapping
from typing import Any

from kmcp_kubernetes.description.facts import Detail, Facts, Look, pairs, without_none
from kmcp_kubernetes.description.pod_lines import list_lines
from kmcp_kubernetes.services import endpoints
from kmcp_runtime.looks import Looked

_MOST_SERVICES = 50
"""Backends of an Ingress that are looked up, one request each."""

_SHOWN = 10
"""Endpoints of one port; more tell nothing new."""
_DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"


async def describe_service(look: Look) -> Facts:
    spec = look.spec
    selector = endpoints.selector(look.found)
    slices, pods = await asyncio.gather(
        look.list_objects(
            "endpointslices.discovery.k8s.io", look.place.namespace, selector=f"{endpoints.SERVICE_LABEL}={look.name}"
        ),
        _list_pods(look, selector),
    )
    found = endpoints.of_slices(slices)
    details = _of_service(look, found)
    # An ExternalName Service is only a CNAME record and never has endpoints.
    if not found.ready and spec.get("type") != endpoints.EXTERNAL_NAME:
        # Pods that may not be read are not absent.
        read = pods if pods.complete else None
        details["problem"] = await endpoints.why_none_ready(look.kube, look.found, found, read)
    return Facts(details, await list_lines(look, pods))


def _of_service(look: Look, found: endpoints.Endpoints) -> Detail:
    spec = look.spec
    balancer = (look.status.get("loadBalancer") or {}).get("ingress") or ()
    details = without_none(
        {
            "type": spec.get("type"),
            "cluster_ip": spec.get("clusterIP"),
            "external_name": spec.get("externalName"),
            "external_ips": spec.get("externalIPs"),
            "selector": pairs(spec.get("selector")),
            "load_balancer": [each.get("ip") or each.get("hostname") for each in balancer],
            "session_affinity": spec.get("sessionAffinity"),
            "ip_families": f"{spec.get('ipFamilyPolicy')} {'/'.join(spec['ipFamilies'])}"
            if spec.get("ipFamilies")
            else None,
            "internal_traffic": spec.get("internalTrafficPolicy"),
            "external_traffic": spec.get("externalTrafficPolicy"),
            "load_balancer_class": spec.get("loadBalancerClass"),
            "source_ranges": spec.get("loadBalancerSourceRanges"),
            "health_check_node_port": spec.get("healthCheckNodePort"),
            "publishes_not_ready": spec.get("publishNotReadyAddresses"),
            "ports": [port_in_words(port) for port in spec.get("ports") or ()],
            "endpoints_by_port": [_served(port, found) for port in spec.get("ports") or () if found.by_port],
        }
    )
    # A Service may have thousands of endpoints; twenty are enough to recognize them.
    return details | {"ready_endpoints": list(found.ready)[:20], "not_ready_endpoints": list(found.not_ready)[:20]}


async def _list_pods(look: Look, selector: str | None) -> Looked[Any]:
    return await look.list_objects("pods", look.place.namespace, selector=selector) if selector else Looked()


def port_in_words(port: Mapping[str, Any]) -> str:
    named = f"{port['name']} " if port.get("name") else ""
    # An absent targetPort is the port itself.
    node = f", node port {port['nodePort']}" if port.get("nodePort") else ""
    return f"{named}{port['port']}/{port.get('protocol', 'TCP')} to {port.get('targetPort', port['port'])}{node}"


def _served(port: Mapping[str, Any], found: endpoints.Endpoints) -> str:
    """`http: 10.0.0.1:8080, 10.0.0.2:8080`; a Service may have thousands."""
    return f"{port.get('name') or port['port']}: {_first(port, found) or 'none is ready'}"


def _first(port: Mapping[str, Any], found: endpoints.Endpoints) -> str:
    served = list(found.by_port.get(port.get("name") or "") or ())
    return ", ".join(served[:_SHOWN]) + (f" and {len(served) - _SHOWN} more" if len(served) > _SHOWN else "")


async def describe_ingress(look: Look) -> Facts:
    spec = look.spec
    default = spec.get("defaultBackend")
    paths = [(rule.get("host") or "*", path) for rule in spec.get("rules") or () for path in _paths(rule)]
    backends = [*([default] if default else ()), *(path.get("backend") or {} for _, path in paths)]
    # A backend may also be an object of another kind (`resource`), which leaves the Service's name empty.
    names = sorted({_service(each).get("name", "") for each in backends} - {""})
    services, slices, classes = await asyncio.gather(
        _named_services(look, names[:_MOST_SERVICES]), _slices_of(look, names[:_MOST_SERVICES]), _ingress_class(look)
    )
    balancer = (look.status.get("loadBalancer") or {}).get("ingress") or ()
    details = without_none(
        {
            "class": spec.get("ingressClassName"),
            "addresses": [each.get("ip") or each.get("hostname") for each in balancer],
            "tls": [f"{each.get('secretName', 'the default certificate')} for {', '.join(each.get('hosts') or '*')}"
                    for each in spec.get("tls") or ()],
            "default_backend": _backend(default, services, slices) if default else None,
            # A rule without a host applies to every host.
            "rules": [
                {"host": host, "path": path.get("path", "/"), "type": path.get("pathType"),
                 **_backend(path.get("backend") or {}, services, slices)}
                for host, path in paths
            ],
        }
    )  # fmt: skip
    state = "exists" if not look.warnings else "unknown"
    related = [
        {"kind": "Service", "name": name, "state": state if name in services or look.warnings else "missing"}
        for name in names[:_MOST_SERVICES]
    ]
    related += [{"kind": "Service", "name": name, "state": "not looked at"} for name in names[_MOST_SERVICES:]]
    return Facts(details, [*related, *classes])


def _paths(rule: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list((rule.get("http") or {}).get("paths") or ())


def _service(backend: Mapping[str, Any]) -> Mapping[str, Any]:
    return backend.get("service") or {}


async def _named_services(look: Look, names: list[str]) -> dict[str, Any]:
    # By name: of many Services a list would hold the first only.
    readings = (
        look.list_objects("services", look.place.namespace, field_selector=f"metadata.name={name}") for name in names
    )
    return {item["metadata"]["name"]: item for found in await asyncio.gather(*readings) for item in found}


async def _slices_of(look: Look, names: list[str]) -> dict[str, list[Any]]:
    """EndpointSlices by the name of their Service."""
    if not names:
        return {}
    chosen = f"{endpoints.SERVICE_LABEL} in ({','.join(names)})"
    by_name: dict[str, list[Any]] = {}
    for item in await look.list_objects("endpointslices.discovery.k8s.io", look.place.namespace, selector=chosen):
        by_name.setdefault(item["metadata"]["labels"][endpoints.SERVICE_LABEL], []).append(item)
    return by_name


async def _ingress_class(look: Look) -> list[Detail]:
    """The IngressClass, without which no controller takes the Ingress up."""
    name = look.spec.get("ingressClassName")
    selected = f"metadata.name={name}" if name else None
    known = len(look.warnings)
    found = await look.list_objects("ingressclasses.networking.k8s.io", None, field_selector=selected)
    if name:
        absent = "unknown" if len(look.warnings) > known else "missing"
        state = f"controller {(found[0].get('spec') or {}).get('controller')}" if found else absent
        return [{"kind": "IngressClass", "name": name, "state": state}]
    default = [each for each in found if (each["metadata"].get("annotations") or {}).get(_DEFAULT_CLASS) == "true"]
    return [{"kind": "IngressClass", "name": each["metadata"]["name"], "state": "the default"} for each in default]


def _backend(backend: Mapping[str, Any], services: Mapping[str, Any], slices: Mapping[str, list[Any]]) -> Detail:
    """Where a path leads: `to` and the ready endpoints behind it, or what is wrong with it."""
    service = _service(backend)
    if not service:
        resource = backend.get("resource") or {}
        return {"to": f"{resource.get('kind', 'a resource')} {resource.get('name', '')}".strip()}
    told: Detail = {"service": service["name"], "to": _target(service)}
    live = services.get(service["name"])
    if live is None:
        return told
    wanted = service.get("port") or {}
    ports = (live.get("spec") or {}).get("ports") or ()
    port = next((each for each in ports if wanted in ({"name": each.get("name")}, {"number": each["port"]})), None)
    if port is None:
        known = ", ".join(str(each.get("name") or each["port"]) for each in ports) or "none"
        return {**told, "problem": f"the Service has no such port; its ports: {known}"}
    found = endpoints.of_slices(slices.get(service["name"]) or ())
    return {**told, "endpoints": _first(port, found) or "none is ready"}


def _target(service: Mapping[str, Any]) -> str:
    port = service.get("port") or {}
    return f"{service.get('name', 'a resource')}:{port.get('name') or port.get('number', '')}"
