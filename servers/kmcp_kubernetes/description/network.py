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
            "ports": [port_in_words(port) for port in spec.get("ports") or ()],
        }
    )
    # A Service may have thousands of endpoints; twenty are enough to recognize them.
    details |= {"ready_endpoints": list(found.ready)[:20], "not_ready_endpoints": list(found.not_ready)[:20]}
    # An ExternalName Service is only a CNAME record and never has endpoints.
    if not found.ready and spec.get("type") != endpoints.EXTERNAL_NAME:
        # Pods that may not be read are not absent.
        read = pods if pods.complete else None
        details["problem"] = await endpoints.why_none_ready(look.kube, look.found, found, read)
    return Facts(details, await list_lines(look, pods))


async def _list_pods(look: Look, selector: str | None) -> Looked[Any]:
    return await look.list_objects("pods", look.place.namespace, selector=selector) if selector else Looked()


def port_in_words(port: Mapping[str, Any]) -> str:
    named = f"{port['name']} " if port.get("name") else ""
    # An absent targetPort is the port itself.
    node = f", node port {port['nodePort']}" if port.get("nodePort") else ""
    return f"{named}{port['port']}/{port.get('protocol', 'TCP')} to {port.get('targetPort', port['port'])}{node}"


async def describe_ingress(look: Look) -> Facts:
    spec = look.spec
    rules = [line for rule in spec.get("rules") or () for line in _rule(rule)]
    backend = (spec.get("defaultBackend") or {}).get("service")
    # A backend may also be an object of another kind (`resource`), which leaves the Service's name empty.
    services = {path["service"] for path in rules} | ({backend["name"]} if backend else set())
    balancer = (look.status.get("loadBalancer") or {}).get("ingress") or ()
    details = without_none(
        {
            "class": spec.get("ingressClassName"),
            "addresses": [each.get("ip") or each.get("hostname") for each in balancer],
            "tls": spec.get("tls"),
            "default_backend": _target(backend) if backend else None,
            "rules": rules,
        }
    )
    names = sorted(services - {""})
    # Each by its name: a list of the namespace's Services may be longer than what is looked at.
    states = await asyncio.gather(*(look.state_of("services", name) for name in names[:_MOST_SERVICES]))
    related = [
        {"kind": "Service", "name": name, "state": state or "exists"}
        for name, state in zip(names[:_MOST_SERVICES], states, strict=True)
    ]
    related += [{"kind": "Service", "name": name, "state": "not looked at"} for name in names[_MOST_SERVICES:]]
    return Facts(details, related)


def _rule(rule: Mapping[str, Any]) -> list[Detail]:
    # A rule without a host applies to every host.
    host = rule.get("host") or "*"
    return [
        {
            "host": host,
            "path": path.get("path", "/"),
            "service": ((path.get("backend") or {}).get("service") or {}).get("name", ""),
            "to": _target((path.get("backend") or {}).get("service") or {}),
        }
        for path in (rule.get("http") or {}).get("paths") or ()
    ]


def _target(service: Mapping[str, Any]) -> str:
    port = service.get("port") or {}
    return f"{service.get('name', 'a resource')}:{port.get('name') or port.get('number', '')}"
