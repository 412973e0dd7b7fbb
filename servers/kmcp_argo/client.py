"""The cluster as this server's tools see it: absences explained, patches sent as the plugin does."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from kmcp_argo.installation.deployments import find_controllers
from kmcp_argo.settings import ArgoSettings
from kmcp_runtime import Backend, Call, ToolFailure, not_found, unavailable
from kmcp_runtime.kube import objects
from kmcp_runtime.kube.cluster import Cluster, Place
from kmcp_runtime.kube.clusters import Clusters
from kmcp_runtime.kube.failures import StatusFailure
from kmcp_runtime.kube.selectors import selector_of

GROUP = "argoproj.io"
_INSTALL = "install Argo Rollouts; argo_verify_argo_rollouts_controller_install shows what is there"
_NOT_INSTALLED = "Argo Rollouts is not installed: the cluster serves no rollouts.argoproj.io"
Object = Mapping[str, Any]


@dataclass
class Argo(Cluster):
    """One cluster for one call."""

    settings: ArgoSettings

    async def argo_place(self, plural: str, namespace: str | None, all_namespaces: bool = False) -> Place:
        """Where objects of a kind of Argo Rollouts are; `unavailable` where it is not installed."""
        try:
            return await self.place(f"{plural}.{GROUP}", namespace, all_namespaces)
        except ToolFailure as failure:
            if failure.code == "not_found":
                raise unavailable(_NOT_INSTALLED, _INSTALL) from None
            raise

    async def rollout(self, name: str, namespace: str) -> objects.Object:
        """The Rollout; of one that is absent, near names are told, and a Deployment of that name."""
        place = await self.argo_place("rollouts", namespace)
        try:
            return await self.read(place, name)
        except ToolFailure as failure:
            if failure.code != "not_found" or "namespace" in failure.message.split("(")[0]:
                raise
            raise await self._explained(failure, name, namespace) from None

    async def patch(
        self,
        plural: str,
        name: str,
        namespace: str,
        body: Any,
        *,
        dry_run: bool,
        status: bool = False,
        patch_type: objects.PatchType = "merge",
    ) -> objects.Object:
        """The patched object. Rollouts before 0.10 have no status subresource: there the object itself is patched."""
        place = await self.argo_place(plural, namespace)
        try:
            return await objects.patch(
                self.api,
                place.kind,
                name,
                namespace,
                body,
                patch_type,
                dry_run=dry_run,
                subresource="status" if status else None,
                strict=False,
            )
        except StatusFailure as failure:
            if not status or failure.http_status != 404:
                raise
        return await objects.patch(self.api, place.kind, name, namespace, body, patch_type, dry_run=dry_run)

    async def controller_warning(self) -> str | None:
        """Why nothing will act on a change, or None when a controller runs."""
        try:
            found = await find_controllers(self)
        except ToolFailure as failure:
            return f"whether a controller acts on this is unknown: {failure.message}"
        if any(each.available for each in found):
            return None
        names = ", ".join(f"{each.namespace}/{each.name}" for each in found)
        state = f"no pod of the controller is available ({names})" if found else "no controller was found"
        return f"{state}: nothing will act on this until one runs"

    async def owned(self, resource: str, owner: Object) -> list[objects.Object]:
        """Objects of a type in the owner's namespace that the owner controls."""
        metadata = owner["metadata"]
        selector = selector_of(owner.get("spec") or {}) if resource == "replicasets.apps" else None
        listed = await self.listed(resource, metadata["namespace"], selector=selector)
        return [item for item in listed if _controlled_by(item, str(metadata["uid"]))]

    async def _explained(self, failure: ToolFailure, name: str, namespace: str) -> ToolFailure:
        try:
            await self.read_kind("deployments.apps", name, namespace)
        except ToolFailure:  # Absent, or not to be seen: nothing to add to the hint.
            return failure
        hint = f"there is a Deployment of that name, which is no Rollout: k8s_rollout is for it; {failure.hint or ''}"
        return not_found(failure.message, hint.rstrip("; "), backend=failure.backend)


def _controlled_by(item: Object, uid: str) -> bool:
    return any(owner.get("uid") == uid for owner in item["metadata"].get("ownerReferences") or ())


class ArgoBackend(Backend):
    """The clusters of the kubeconfig."""

    def __init__(self, settings: ArgoSettings) -> None:
        self.settings = settings
        self.clusters = Clusters(settings)

    def provide(self, call: Call) -> Mapping[type, Any]:
        return {Argo: Argo(**vars(self.clusters.cluster(call)), settings=self.settings)}

    async def ready(self) -> None:
        await self.clusters.ready()


@asynccontextmanager
async def open_backend(settings: ArgoSettings) -> AsyncIterator[ArgoBackend]:
    backend = ArgoBackend(settings)
    try:
        yield backend
    finally:
        await backend.clusters.close()
