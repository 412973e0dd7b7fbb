"""Manual changes to the load balancer of agents up to 1.17."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from kmcp_cilium.agents.agent import Agent
from kmcp_cilium.agents.command_versions import minor
from kmcp_cilium.arguments import OneNode, split
from kmcp_cilium.changes import AgentChange
from kmcp_cilium.client import Cilium
from kmcp_cilium.declaring import agent_tool
from kmcp_cilium.state import load_balancer
from kmcp_cilium.state.load_balancer import Service, check_frontend
from kmcp_runtime import DryRun, Effect, bad_argument, live_state, not_found, unavailable, unpublished

Policy = Literal["Cluster", "Local"]
State = Literal["active", "terminating", "quarantined", "maintenance"]
Backend = Annotated[str, AfterValidator(check_frontend)]
_MOST_WEIGHT = 65_535
"""The program cuts a number to 16 bits without a word."""
Weight = Annotated[int, Field(ge=0, le=_MOST_WEIGHT)]
_OLD = "removed in 1.18: the real agent shows the refusal, a stand-in that answers as 1.17.6 does the command itself"
_TCP = "TCP"
_FIRST_WITH_PROTOCOL = (1, 17)
"""Before, `service update` has no --protocol."""
_WEIGHING = "lb-only"
_OVERWRITTEN = "The agent overwrites it when the Service or its endpoints change."


class ServiceUpdate(AgentChange):
    """A service before and after."""

    before: Service | None = None
    after: Service | None = None


class ServiceDeletion(AgentChange):
    """Services that were removed from a node's load balancer."""

    deleted: list[Service]
    kept: list[Service] | None = Field(default=None, description="Still there, see warnings")
    total: int


@agent_tool(Effect.WRITE, verified="stand-in", why=_OLD)
async def cilium_update_service(
    cilium: Cilium,
    id: Annotated[int, "Number", Field(ge=1)],
    frontend: Annotated[str, AfterValidator(check_frontend), "IP:PORT[/PROTO]"],
    backends: Annotated[list[Backend], BeforeValidator(split), "IP:PORT each", Field(min_length=1)],
    backend_weights: Annotated[list[Weight] | None, BeforeValidator(split), "One per backend"] = None,
    states: Annotated[list[State] | None, BeforeValidator(split), "One, or one per backend"] = None,
    k8s_ext_traffic_policy: Annotated[Policy, "External"] = "Cluster",
    k8s_int_traffic_policy: Annotated[Policy, "Internal"] = "Cluster",
    k8s_external: Annotated[bool, "ExternalIPs"] = False,
    k8s_host_port: Annotated[bool, "HostPort"] = False,
    k8s_load_balancer: Annotated[bool, "LoadBalancer"] = False,
    k8s_node_port: Annotated[bool, "NodePort"] = False,
    k8s_cluster_internal: Annotated[bool, "Internal scope"] = False,
    local_redirect: Annotated[bool, "LocalRedirect"] = False,
    protocol: Annotated[str | None, unpublished("Used where frontend names no protocol")] = None,
    node_name: OneNode = None,
    dry_run: DryRun = False,
) -> ServiceUpdate:
    """Write a service into the load balancer of an agent up to 1.17; later ones follow Services only."""
    kinds = {
        "--k8s-external": k8s_external,
        "--k8s-host-port": k8s_host_port,
        "--k8s-load-balancer": k8s_load_balancer,
        "--k8s-node-port": k8s_node_port,
        "--local-redirect": local_redirect,
    }
    _check_lengths(backends, backend_weights, states, kinds)
    frontend = f"{frontend}/{protocol.upper()}" if protocol and "/" not in frontend else frontend
    agent = await cilium.find_one_agent(node_name)
    await _refuse_removed(agent, "update", str(id), frontend)
    await _check_version(agent, frontend, backends, backend_weights)
    words = (
        *_addresses(frontend, backends),
        *_joined("--backend-weights", backend_weights),
        *_joined("--states", states),
        *_traffic_policies(k8s_ext_traffic_policy, k8s_int_traffic_policy),
        *_given({**kinds, "--k8s-cluster-internal": k8s_cluster_internal}),
    )
    return await _update(agent, id, words, dry_run)


@agent_tool(Effect.DESTROY, verified="stand-in", why=_OLD)
async def cilium_delete_service(
    cilium: Cilium,
    service_id: Annotated[int | None, "Number", Field(ge=1)] = None,
    all: Annotated[bool, "Every service"] = False,
    node_name: OneNode = None,
    dry_run: DryRun = False,
) -> ServiceDeletion:
    """Remove services from the load balancer of an agent up to 1.17; later ones follow Services only."""
    if (service_id is None) == (not all):
        raise bad_argument("give exactly one of service_id and all", "cilium_list_services lists IDs")
    agent = await cilium.find_one_agent(node_name)
    await _refuse_removed(agent, "delete", str(service_id) if service_id else None)
    # Listed before the deletion, to report what is gone.
    there = await load_balancer.list_services(agent)
    meant = [service for service in there if all or service.id == service_id]
    if not meant and not all:
        raise not_found(f"no service {service_id} {agent.where}", "cilium_list_services lists IDs")
    live_state.bind(f"services {agent.where}", [service.model_dump() for service in meant])
    kept, errors = ([], []) if dry_run else await _delete(agent, service_id, meant)
    deleted = [service for service in meant if service not in kept]
    return ServiceDeletion(
        node=agent.node,
        result="would be deleted" if dry_run else "deleted in part" if kept else "deleted",
        changed=bool(deleted) and not dry_run,
        deleted=deleted,
        kept=kept or None,
        total=len(deleted),
        dry_run=dry_run or None,
        warnings=[*errors, _OVERWRITTEN],
    )


async def _delete(agent: Agent, service_id: int | None, meant: list[Service]) -> tuple[list[Service], list[str]]:
    """Delete one service or all; returns those that are still there, with the errors that the program logged."""
    if service_id is not None:
        await agent.call("service", "delete", str(service_id))
        return [], []
    # With --all the program goes on after a service that it cannot delete, logs that, and exits with 0.
    _, errors = await agent.call_logged("service", "delete", "--all")
    if not errors:
        return [], []
    left = {service.id for service in await load_balancer.list_services(agent)}
    kept = [service for service in meant if service.id in left]
    if len(kept) == len(meant):
        raise unavailable(f"no service was deleted {agent.where}: {'; '.join(errors)}", agent.look)
    return kept, errors


async def _update(agent: Agent, number: int, words: tuple[str, ...], dry_run: bool) -> ServiceUpdate:
    before = await _find(agent, number)
    if dry_run:
        result = f"would be {'updated' if before else 'created'}"
        return ServiceUpdate(node=agent.node, result=result, changed=False, before=before, dry_run=True)
    await agent.call("service", "update", "--id", str(number), *words)
    after = await _find(agent, number)
    return ServiceUpdate(
        node=agent.node,
        result="updated" if before else "created",
        changed=before != after,
        before=before,
        after=after,
        warnings=[_OVERWRITTEN],
    )


def _check_lengths(
    backends: list[str], weights: list[int] | None, states: list[State] | None, kinds: dict[str, bool]
) -> None:
    if weights and len(weights) != len(backends):
        raise bad_argument(f"backend_weights: {len(weights)} for {len(backends)} backends", "give one for each")
    if states and len(states) not in (1, len(backends)):
        raise bad_argument(f"states: {len(states)} for {len(backends)} backends", "give one, or one for each")
    if sum(kinds.values()) > 1:
        names = ", ".join(flag.removeprefix("--").replace("-", "_") for flag, given in kinds.items() if given)
        raise bad_argument(f"give only one of {names}", "a service has one type")


async def _refuse_removed(agent: Agent, command: str, *meant: str | None) -> None:
    """Raise a failure where the version no longer has the command; it names the Service behind the frontend."""
    gone = await agent.find_missing("service", command)
    if gone is None:
        return
    behind = [
        service
        for service in await load_balancer.list_services(agent)
        if service.name and any(each and load_balancer.is_meant(service, each) for each in meant)
    ]
    hint = None
    if behind:
        service = behind[0]
        hint = (
            f"it belongs to Service {service.namespace}/{service.name}: k8s_patch_resource resource_type=services "
            f"resource_name={service.name} namespace={service.namespace}"
        )
    raise gone.failure(await agent.read_version(), hint)


async def _check_version(agent: Agent, frontend: str, backends: list[str], weights: list[int] | None) -> None:
    """Refuse what this version's program takes for something else, or only refuses after the rehearsal."""
    protocol = frontend.partition("/")[2] or _TCP
    named = {backend.partition("/")[2] for backend in backends} - {"", protocol}
    if named:
        raise bad_argument(
            f"backends: {', '.join(sorted(named))} behind a frontend of {protocol}",
            "a service has one protocol: name it at the frontend",
        )
    version = await agent.read_version()
    known = minor(version)
    taken = (_TCP, "UDP") if known is None or known >= _FIRST_WITH_PROTOCOL else (_TCP,)
    if protocol not in taken:
        raise bad_argument(
            f"frontend: Cilium {version} writes services of {' and '.join(taken)} only, not of {protocol}",
            "create a Service for it: agents follow those of every protocol",
        )
    if weights:
        mode = (await agent.call_json("config", "-a")).get("DatapathMode")
        if mode not in (None, _WEIGHING):
            raise bad_argument(
                f"backend_weights: the agent is in datapath mode {mode}, and takes weights only in {_WEIGHING}",
                "leave them out; states=maintenance takes a backend out",
            )


async def _find(agent: Agent, number: int) -> Service | None:
    return next((service for service in await load_balancer.list_services(agent) if service.id == number), None)


def _addresses(frontend: str, backends: list[str]) -> tuple[str, ...]:
    """The flags for frontend and backends."""
    address, _, protocol = frontend.partition("/")
    targets = ",".join(backend.partition("/")[0] for backend in backends)
    # The command takes TCP where no protocol is named.
    named = ("--protocol", protocol.lower()) if protocol.lower() not in ("", "tcp") else ()
    return ("--frontend", address, "--backends", targets, *named)


def _traffic_policies(external: Policy, internal: Policy) -> tuple[str, ...]:
    return ("--k8s-ext-traffic-policy", external, "--k8s-int-traffic-policy", internal)


def _joined(flag: str, values: list[int] | list[State] | None) -> tuple[str, ...]:
    return (flag, ",".join(str(value) for value in values)) if values else ()


def _given(flags: dict[str, bool]) -> list[str]:
    return [flag for flag, given in flags.items() if given]
