"""Whether Argo Rollouts is installed and works."""

import asyncio
import shutil
from typing import Annotated

from pydantic import BaseModel, Field

from kmcp_argo.client import GROUP, Argo
from kmcp_argo.installation.deployments import LABEL, NAMESPACE, Found, find_controllers
from kmcp_runtime import Effect, Namespace, Result, Rule, command, tool
from kmcp_runtime.kube import objects

PLUGIN = "kubectl-argo-rollouts"
KINDS = ("rollouts", "experiments", "analysisruns", "analysistemplates", "clusteranalysistemplates")
_VERSION_SECONDS = 10.0


class ControllerPod(BaseModel):
    """A pod of the controller."""

    name: str
    phase: str
    ready: bool
    restarts: int


class Definition(BaseModel):
    """A custom resource of Argo Rollouts that the cluster serves."""

    name: str
    versions: list[str]


class ControllerInstall(Result):
    """Whether a controller is installed and works."""

    installed: bool
    healthy: bool
    namespace: str | None = Field(default=None, description="Where it was found")
    version: str | None = Field(default=None, description="Tag of its image")
    pods: list[ControllerPod]
    crds: list[Definition]
    problems: list[str]


class Plugin(BaseModel):
    """The kubectl plugin, where this server has it on its PATH."""

    installed: bool
    version: str | None = None


class PluginInstall(Result):
    """What is available, with or without the kubectl plugin."""

    required: bool = Field(default=False, description="These tools need no plugin")
    plugin: Plugin
    api: dict[str, bool] = Field(description="Kinds that the cluster serves")
    controller_version: str | None = None


@tool(
    Effect.READ,
    needs=(Rule("apps", ("deployments",), ("list",)), Rule("", ("pods",), ("list",))),
    ignored=("timeout",),
)
async def argo_verify_argo_rollouts_controller_install(
    argo: Argo,
    namespace: Namespace = NAMESPACE,
    label: Annotated[str, "Label of its Deployment and pods"] = LABEL,
) -> ControllerInstall:
    """Check that the Argo Rollouts controller is installed and running; use it when rollouts do not progress."""
    crds = await _list_definitions(argo)
    # Many installations use another namespace than the default; say so instead of "not installed".
    found = await find_controllers(argo, label, namespace) or await find_controllers(argo, label)
    problems = [] if any(each.name == "rollouts" for each in crds) else [f"the cluster does not serve rollouts.{GROUP}"]
    if not found:
        problems.append(f"no Deployment has the label {label}, in {namespace} or elsewhere")
        return ControllerInstall(installed=False, healthy=False, pods=[], crds=crds, problems=problems)
    chosen = found[0]
    pods = [_pod(each) for each in await argo.list_objects("pods", chosen.namespace, selector=label)]
    problems += _problems(chosen, found, pods, namespace)
    return ControllerInstall(
        installed=bool(crds),
        healthy=bool(crds) and chosen.available > 0,
        namespace=chosen.namespace,
        version=chosen.version,
        pods=pods,
        crds=crds,
        problems=problems,
    )


@tool(Effect.READ, needs=(Rule("apps", ("deployments",), ("list",)),))
async def argo_verify_kubectl_plugin_install(argo: Argo) -> PluginInstall:
    """Show which kinds of Argo Rollouts and which plugin are available; these tools need no kubectl plugin."""
    crds, found, plugin = await asyncio.gather(_list_definitions(argo), find_controllers(argo), _find_plugin())
    served = {each.name for each in crds}
    return PluginInstall(
        plugin=plugin,
        api={name: name in served for name in KINDS},
        controller_version=found[0].version if found else None,
    )


async def _list_definitions(argo: Argo) -> list[Definition]:
    versions: dict[str, list[str]] = {}
    for kind in await argo.discovery.kinds():
        if kind.group == GROUP and kind.plural in KINDS:
            versions.setdefault(kind.plural, []).append(kind.version)
    return [Definition(name=name, versions=found) for name, found in versions.items()]


def _pod(found: objects.Object) -> ControllerPod:
    seen = found.get("status") or {}
    statuses = seen.get("containerStatuses") or []
    return ControllerPod(
        name=found["metadata"]["name"],
        phase=str(seen.get("phase")),
        ready=bool(statuses) and all(each.get("ready") for each in statuses),
        restarts=sum(int(each.get("restartCount") or 0) for each in statuses),
    )


def _problems(chosen: Found, found: list[Found], pods: list[ControllerPod], namespace: str) -> list[str]:
    problems = []
    if chosen.namespace != namespace:
        problems.append(f"the controller is in namespace {chosen.namespace}, not in namespace {namespace}")
    if chosen.available == 0:
        problems.append(f"no pod of Deployment {chosen.name} is available ({chosen.desired} desired)")
    problems += [f"pod {pod.name} is {pod.phase} and not ready" for pod in pods if not pod.ready]
    if len(found) > 1:
        # Two controllers act on the same rollouts and undo what the other has done.
        problems.append("several controllers: " + ", ".join(f"{each.namespace}/{each.name}" for each in found))
    return problems


async def _find_plugin() -> Plugin:
    path = shutil.which(PLUGIN)
    if path is None:
        return Plugin(installed=False)
    # With an empty environment: its own version needs no cluster, so it is handed no kubeconfig.
    ended = await command.run([path, "version", "--short"], env={}, seconds=_VERSION_SECONDS)
    return Plugin(installed=True, version=ended.stdout.strip().rpartition(" ")[2] or None)
