"""The cluster as this server's tools see it: missing objects are explained, patches sent as the plugin sends them."""

from collections.abc import Iterable, Mapping
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
_INSTALL = "install Argo Rollouts; argo_verify_argo_rollouts_controller_install shows what is installed"
_NOT_INSTALLED = "Argo Rollouts is not installed: the cluster does not serve rollouts.argoproj.io"
Object = Mapping[str, Any]


@dataclass
class Argo(Cluster):
    """One cluster, for one tool call."""

    settings: ArgoSettings

    async def resolve_place(self, plural: str, namespace: str | None, all_namespaces: bool = False) -> Place:
        """The place of a kind of Argo Rollouts; `unavailable` where Argo Rollouts is not installed."""
        try:
            return await self.place(f"{plural}.{GROUP}", namespace, all_namespaces)
        except ToolFailure as failure:
            if failure.code == "not_found":
                raise unavailable(_NOT_INSTALLED, _INSTALL) from None
            raise

    async def read_rollout(self, name: str, namespace: str) -> objects.Object:
        """The Rollout; the failure for a missing one names similar Rollouts, and a Deployment of that name."""
        place = await self.resolve_place("rollouts", namespace)
        try:
            return await self.read(place, name)
        except ToolFailure as failure:
            # A missing namespace is explained by the failure itself; a Deployment cannot be in it either.
            if failure.code != "not_found" or "namespace" in failure.message.split("(")[0]:
                raise
            raise await self._explain_absence(failure, name, namespace) from None

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
        """The patched object; with `status` the patch goes to the status subresource where there is one."""
        place = await self.resolve_place(plural, namespace)
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
                # Fields that this version of the CRD does not know must not be refused: the plugin sends them as well.
                strict=False,
            )
        except StatusFailure as failure:
            # Rollouts before 0.10 have no status subresource: their API server answers 404 and the object itself is
            # patched, as the plugin does then.
            if not status or failure.http_status != 404:
                raise
        return await objects.patch(self.api, place.kind, name, namespace, body, patch_type, dry_run=dry_run)

    async def warn_without_controller(self) -> str | None:
        """Why nothing will act on a change, or None when a controller runs."""
        try:
            found = await find_controllers(self)
        except ToolFailure as failure:
            return f"could not check whether a controller is running: {failure.message}"
        if any(each.available for each in found):
            return None
        names = ", ".join(f"{each.namespace}/{each.name}" for each in found)
        state = f"no pod of the controller is available ({names})" if found else "no controller was found"
        return f"{state}: nothing acts on this change until a controller runs"

    async def list_owned(self, resource: str, owner: Object) -> list[objects.Object]:
        """The objects of a type that name this object as an owner, from its namespace."""
        metadata = owner["metadata"]
        # ReplicaSets carry the selector's labels, which narrows the list on the API server; AnalysisRuns do not.
        selector = selector_of(owner.get("spec") or {}) if resource == "replicasets.apps" else None
        listed = await self.list_objects(resource, metadata["namespace"], selector=selector)
        return owned_by(listed, owner)

    async def _explain_absence(self, failure: ToolFailure, name: str, namespace: str) -> ToolFailure:
        try:
            await self.read_kind("deployments.apps", name, namespace)
        except ToolFailure:  # Absent, or this identity may not read it: nothing to add to the hint.
            return failure
        hint = f"a Deployment has that name; use k8s_rollout for Deployments; {failure.hint or ''}"
        return not_found(failure.message, hint.rstrip("; "), backend=failure.backend)


def owned_by(listed: Iterable[objects.Object], owner: Object) -> list[objects.Object]:
    """Those that name the owner."""
    uid = str(owner["metadata"]["uid"])
    return [item for item in listed if _controlled_by(item, uid)]


def _controlled_by(item: Object, uid: str) -> bool:
    # By uid: an object that was deleted and made again under the same name owns nothing of its predecessor.
    return any(owner.get("uid") == uid for owner in item["metadata"].get("ownerReferences") or ())


class ArgoBackend(Backend):
    """The clusters of the kubeconfig, for as long as the server runs."""

    def __init__(self, settings: ArgoSettings) -> None:
        self.settings = settings
        self.clusters = Clusters(settings)

    def provide(self, call: Call) -> Mapping[type, Any]:
        return {Argo: Argo(**vars(self.clusters.cluster(call)), settings=self.settings)}

    async def ready(self) -> None:
        await self.clusters.ready()

    async def close(self) -> None:
        await self.clusters.close()


def open_backend(settings: ArgoSettings) -> ArgoBackend:
    return ArgoBackend(settings)
