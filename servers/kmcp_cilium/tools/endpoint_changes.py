"""Changes to one endpoint: its labels, its options, its connection."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from kmcp_cilium import changes
from kmcp_cilium.arguments import Elements, OneNode, split
from kmcp_cilium.changes import AgentChange, OptionChange
from kmcp_cilium.client import Cilium
from kmcp_cilium.declaring import agent_tool
from kmcp_cilium.rights import PODS
from kmcp_cilium.state import endpoint_state
from kmcp_cilium.state.endpoint_state import EndpointId, Located
from kmcp_cilium.state.fields import part
from kmcp_runtime import DryRun, Effect

OPTIONS = (
    "ConntrackAccounting",
    "PolicyAccounting",
    "Debug",
    "DebugLB",
    "DebugPolicy",
    "DropNotification",
    "TraceNotification",
    "PolicyVerdictNotification",
    "PolicyAuditMode",
    "MonitorAggregationLevel",
    "SourceIPVerification",
)
_NEW_IDENTITY = "The endpoint has another identity now, until its pod is recreated: policies may treat it differently."
_PENDING = "The agent has accepted the change, and the endpoint does not show all of it yet; check with config={}."
_REGENERATION_SECONDS = 5.0
_CUT_OFF = "The pod loses its network until it is recreated."


class LabelsChange(AgentChange):
    """The labels of an endpoint after the change."""

    id: int
    pod: str | None = None
    enabled: list[str]
    disabled: list[str]


class ConfigChange(AgentChange):
    """The options of an endpoint after the change."""

    id: int
    pod: str | None = None
    realized: dict[str, str]
    changes: list[OptionChange] = Field(default_factory=list)


class Disconnection(AgentChange):
    """An endpoint that was disconnected."""

    id: int
    pod: str | None = None
    disconnected: bool


def options_as_map(config: Any) -> Any:
    """Options as a map, also in the form of older callers and of the program itself: `Debug=true Trace=false`."""
    if isinstance(config, str):
        pairs = [each.partition("=") for each in split(config)]
        if not all(name and equals and value for name, equals, value in pairs):
            raise ValueError("give options as a map, or as a text: Debug=true")
        return {name: value for name, _, value in pairs}
    if not isinstance(config, Mapping):
        return config
    return {name: str(value).lower() if isinstance(value, bool | int) else value for name, value in config.items()}


@agent_tool(Effect.WRITE, PODS, idempotent=True)
async def cilium_manage_endpoint_labels(
    cilium: Cilium,
    endpoint_id: EndpointId,
    labels: Annotated[Elements, "Such as k8s:app=web", Field(min_length=1)],
    action: Annotated[Literal["add", "delete"], "What to do"] = "add",
    node_name: OneNode = None,
    dry_run: DryRun = False,
) -> LabelsChange:
    """Add or disable labels of an endpoint; its identity changes with them until the pod is recreated."""
    located = await endpoint_state.locate(cilium, endpoint_id, node_name)
    before = _labels_of(located.found)
    if dry_run:
        after = _predicted(before, labels, action)
    else:
        # The command prints the labels after the change, which saves a second request.
        after = _listed(await located.agent.call("endpoint", "labels", located.id, f"--{action}", ",".join(labels)))
    changed = after != before
    return LabelsChange(
        node=located.agent.node,
        id=int(located.id),
        pod=located.pod,
        changed=changed and not dry_run,
        result=_result("changed", changed, dry_run),
        enabled=sorted(after[0]),
        disabled=sorted(after[1]),
        warnings=[_NEW_IDENTITY] if changed else None,
        dry_run=dry_run or None,
    )


@agent_tool(Effect.WRITE, PODS, idempotent=True)
async def cilium_manage_endpoint_config(
    cilium: Cilium,
    endpoint_id: EndpointId,
    config: Annotated[dict[str, str], BeforeValidator(options_as_map), "Option: value; {} shows them"],
    node_name: OneNode = None,
    dry_run: DryRun = False,
) -> ConfigChange:
    """Set options of one endpoint such as Debug, PolicyAuditMode or DropNotification; {} shows them."""
    options = {_option(name): changes.wanted(name, value) for name, value in config.items()}
    located = await endpoint_state.locate(cilium, endpoint_id, node_name)
    before = await _read_options(located)
    differing = changes.differences(options, before)
    pending = False
    if differing and not dry_run:
        # Only what differs is sent: each change regenerates the endpoint.
        words = [f"{each.option}={each.after}" for each in differing]
        await located.agent.call("endpoint", "config", located.id, *words)
        after = await _wait_for_options(located, {each.option: each.after for each in differing})
        pending = any(after[each.option] != each.after for each in differing)
        differing = changes.differences({each.option: after[each.option] for each in differing}, before)
        before = after
    return ConfigChange(
        node=located.agent.node,
        id=int(located.id),
        pod=located.pod,
        changed=bool(differing) and not dry_run,
        result="pending" if pending else _result("changed", bool(differing), dry_run),
        changes=differing,
        realized=before,
        dry_run=dry_run or None,
        hint=_PENDING if pending else None,
    )


@agent_tool(Effect.DESTROY, PODS)
async def cilium_disconnect_endpoint(
    cilium: Cilium, endpoint_id: EndpointId, node_name: OneNode = None, dry_run: DryRun = False
) -> Disconnection:
    """Disconnect an endpoint: its pod loses the network until it is recreated."""
    located = await endpoint_state.locate(cilium, endpoint_id, node_name)
    endpoint_state.bind(located)
    if not dry_run:
        await located.agent.call("endpoint", "disconnect", located.id)
    return Disconnection(
        node=located.agent.node,
        id=int(located.id),
        pod=located.pod,
        changed=not dry_run,
        disconnected=not dry_run,
        result=_result("disconnected", True, dry_run),
        dry_run=dry_run or None,
        warnings=[_CUT_OFF],
    )


def _result(done: str, differs: bool, dry_run: bool) -> str:
    return "unchanged" if not differs else f"would be {done}" if dry_run else done


Labels = tuple[frozenset[str], frozenset[str]]
"""Enabled and disabled ones."""


def _labels_of(endpoint: Mapping[str, Any]) -> Labels:
    labels = part(endpoint, "status", "labels")
    return frozenset(labels.get("security-relevant") or ()), frozenset(labels.get("disabled") or ())


def _listed(text: str) -> Labels:
    """Labels in the output of the command: lines of `label  Enabled` or `label  Disabled`."""
    rows = [line.rsplit(None, 1) for line in text.splitlines() if line.strip()]
    enabled, disabled = ([row[0] for row in rows if row[-1] == state] for state in ("Enabled", "Disabled"))
    return frozenset(enabled), frozenset(disabled)


def _predicted(before: Labels, labels: list[str], action: str) -> Labels:
    # A label without a source gets unspec, as the agent parses it.
    given = frozenset(label if ":" in label else f"unspec:{label}" for label in labels)
    enabled, disabled = before
    if action == "add":
        return enabled | given, disabled - given
    # Labels of the orchestrator are disabled, not deleted.
    return enabled - given, disabled | (enabled & given)


def _option(name: str) -> str:
    if name not in OPTIONS:
        raise changes.unknown_option(name, OPTIONS, "config")
    return name


async def _wait_for_options(located: Located, options: Mapping[str, str]) -> dict[str, str]:
    """The endpoint's options, once they include these or the time is over."""
    # The agent answers before it has regenerated the endpoint.
    deadline = asyncio.get_running_loop().time() + _REGENERATION_SECONDS
    while True:
        found = await _read_options(located)
        if options.items() <= found.items() or asyncio.get_running_loop().time() > deadline:
            return found
        await asyncio.sleep(0.3)


async def _read_options(located: Located) -> dict[str, str]:
    answer = await located.agent.call_json("endpoint", "config", located.id)
    options = part(answer, "realized", "options")
    return {name: changes.shown(name, value) for name, value in sorted(options.items())}
