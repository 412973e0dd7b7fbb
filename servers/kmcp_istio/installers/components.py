"""Components of an installation: the workloads of the control plane and whether they are ready."""

import asyncio

from pydantic import BaseModel, Field

from kmcp_istio.client import Mesh, Object

_OPERATOR = "operator.istio.io/component"


class Component(BaseModel):
    """One workload of Istio's installation."""

    name: str
    ready: bool
    pods: str = Field(description="ready/desired")


async def list_components(mesh: Mesh) -> list[Component]:
    """Deployments and DaemonSets in the control plane's namespace that carry the installation's label."""
    namespace = mesh.settings.istio_namespace
    deployments, daemons = await asyncio.gather(
        mesh.list_objects("deployments.apps", namespace, selector=_OPERATOR),
        mesh.list_objects("daemonsets.apps", namespace, selector=_OPERATOR),
    )
    return [*(_deployment(each) for each in deployments), *(_daemon(each) for each in daemons)]


def _deployment(found: Object) -> Component:
    wanted = int((found.get("spec") or {}).get("replicas", 1))
    return _component(found, int((found.get("status") or {}).get("readyReplicas") or 0), wanted)


def _daemon(found: Object) -> Component:
    status = found.get("status") or {}
    return _component(found, int(status.get("numberReady") or 0), int(status.get("desiredNumberScheduled") or 0))


def _component(found: Object, ready: int, wanted: int) -> Component:
    return Component(name=found["metadata"]["name"], ready=ready >= wanted, pods=f"{ready}/{wanted}")
