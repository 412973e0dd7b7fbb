"""The services of an agent's load balancer."""

import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any

from pydantic import BaseModel, Field

from kmcp_cilium.agents.agent import Agent
from kmcp_cilium.state.fields import part
from kmcp_runtime import not_found

# A scope may follow the protocol, as in 10.0.0.1:80/TCP/i for internal traffic.
_ADDRESS = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[\d.]+):(?P<port>\d{1,5})(?:/(?P<protocol>[A-Za-z]+))?(?:/[a-z])?")
PROTOCOLS = ("TCP", "UDP", "SCTP")
_LARGEST_PORT = 65_535


class BackendAddress(BaseModel):
    """A backend of a service."""

    address: str
    node: str | None = None
    state: str | None = None
    weight: int | None = None
    preferred: bool | None = Field(default=None, description="Preferred by cluster affinity")


class Service(BaseModel):
    """A frontend of the load balancer and its backends."""

    id: int
    frontend: str
    type: str | None = None
    namespace: str | None = None
    name: str | None = None
    backends: list[BackendAddress]
    policies: dict[str, str] | None = Field(default=None, description="External, internal and NAT policy")


def check_frontend(text: str) -> str:
    """`IP:PORT` or `IP:PORT/PROTO` in the agent's spelling; a `ValueError` for anything else."""
    found = _ADDRESS.fullmatch(text.strip())
    if not found or not 0 <= int(found["port"]) <= _LARGEST_PORT:
        raise ValueError(f"{text!r} is not a frontend: write IP:PORT or IP:PORT/PROTO")
    protocol = (found["protocol"] or "").upper()
    if protocol and protocol not in PROTOCOLS:
        raise ValueError(f"{text!r}: the protocol must be one of {', '.join(PROTOCOLS)}")
    try:
        ip_address(found["host"].strip("[]"))
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from None
    return f"{found['host']}:{found['port']}" + (f"/{protocol}" if protocol else "")


def check_service_id(text: str) -> str:
    """An ID or a frontend."""
    return text if text.isdigit() else check_frontend(text)


async def list_services(agent: Agent, with_affinity: bool = False) -> list[Service]:
    """Every service of an agent, by ID."""
    answer = await agent.call_json("service", "list")
    found = (_service(each, with_affinity) for each in answer or ())
    return sorted(found, key=lambda service: (service.id, service.frontend))


async def find_service(agent: Agent, service_id: str) -> Service:
    """The service with this ID or frontend; a frontend without a protocol matches any."""
    services = await list_services(agent)
    for service in services:
        if is_meant(service, service_id):
            return service
    raise not_found(
        f"service_id: no service {service_id} {agent.where}", f"cilium_list_services node_name={agent.node} lists them"
    )


def is_meant(service: Service, service_id: str) -> bool:
    if service_id.isdigit():
        return service.id == int(service_id)
    # A caller who names no protocol means the one service at that address.
    return service_id in (service.frontend, service.frontend.partition("/")[0])


def of_object(services: Iterable[Service], namespace: str, name: str) -> list[Service]:
    return [service for service in services if (service.namespace, service.name) == (namespace, name)]


def address(model: Mapping[str, Any]) -> str:
    """`IP:PORT/PROTO`, with brackets around IPv6."""
    ip, port = str(model.get("ip") or ""), model.get("port", 0)
    protocol = str(model.get("protocol") or "").upper()
    host = f"[{ip}]" if ":" in ip else ip
    return f"{host}:{port}" + (f"/{protocol}" if protocol else "")


def _service(each: Mapping[str, Any], with_affinity: bool) -> Service:
    realized = part(each, "status", "realized")
    # What the datapath has comes before what was requested.
    spec = realized or part(each, "spec")
    flags = part(spec, "flags") or part(each, "spec", "flags")
    policies = {
        name: flags[key]
        for name, key in (("external", "extTrafficPolicy"), ("internal", "intTrafficPolicy"), ("nat", "natPolicy"))
        if flags.get(key)
    }
    return Service(
        id=spec.get("id", 0),
        frontend=address(part(spec, "frontend-address")),
        type=flags.get("type"),
        namespace=flags.get("namespace"),
        name=flags.get("name"),
        policies=policies or None,
        backends=[_backend(backend, with_affinity) for backend in spec.get("backend-addresses") or ()],
    )


def _backend(model: Mapping[str, Any], with_affinity: bool) -> BackendAddress:
    return BackendAddress(
        address=address(model),
        node=model.get("nodeName"),
        state=model.get("state"),
        weight=model.get("weight"),
        # Only with the affinity of a cluster mesh does the agent report it.
        preferred=bool(model.get("preferred")) if with_affinity else None,
    )
