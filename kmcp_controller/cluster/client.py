"""The only I/O of the controller to the API server: reads, server-side applies, deletions, Events.

Objects are dicts. Requests share one budget per second; a 429 is obeyed and repeated.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from kmcp_controller.spec.model import OURS
from kmcp_controller.telemetry.metrics import Metrics
from kmcp_runtime.kube import objects
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.discovery import Kind
from kmcp_runtime.kube.failures import StatusFailure

Object = dict[str, Any]
MANAGER = "kmcp-controller"
HANDOVER = f"{MANAGER}-handover"
LABEL = OURS + "server"
_THROTTLED = 3  # answers of 429 that one request waits out


def _kind(api_version: str, kind: str, plural: str) -> Kind:
    group, _, version = api_version.rpartition("/")
    return Kind(group, version, kind, plural, kind.lower(), (), True, (), frozenset(), True)


KINDS = {
    kind.kind: kind
    for kind in (
        _kind("kagent.dev/v1alpha1", "MCPServer", "mcpservers"),
        _kind("v1", "ServiceAccount", "serviceaccounts"),
        _kind("rbac.authorization.k8s.io/v1", "Role", "roles"),
        _kind("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings"),
        _kind("v1", "ConfigMap", "configmaps"),
        _kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
        _kind("v1", "Service", "services"),
        _kind("apps/v1", "Deployment", "deployments"),
        _kind("kagent.dev/v1alpha2", "RemoteMCPServer", "remotemcpservers"),
        _kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
        _kind("v1", "Secret", "secrets"),
        _kind("v1", "Pod", "pods"),
        _kind("v1", "Event", "events"),
        _kind("coordination.k8s.io/v1", "Lease", "leases"),
    )
}
OWNED = (
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ConfigMap",
    "NetworkPolicy",
    "Service",
    "Deployment",
    "RemoteMCPServer",
)


class Cluster:
    """One API server, as the controller uses it."""

    def __init__(self, api: KubeApi, requests_per_second: int = 500, metrics: Metrics | None = None) -> None:
        self._api = api
        self.metrics = metrics or Metrics()
        self._interval = 1 / requests_per_second
        self._next = 0.0
        self.answered_at = asyncio.get_running_loop().time()
        """When a request last succeeded, by the loop's clock."""

    async def read(self, kind: str, namespace: str, name: str) -> Object | None:
        try:
            return await self._send("GET", KINDS[kind].path(namespace, name))
        except StatusFailure as failure:
            if failure.http_status == 404:
                return None
            raise

    async def ping(self) -> None:
        await self._send("GET", "/version")

    async def list_objects(self, kind: str, namespace: str | None, selector: str = "") -> list[Object]:
        """From the API server's memory, whole."""
        query = [("resourceVersion", "0"), *([("labelSelector", selector)] if selector else [])]
        found = await self._send("GET", KINDS[kind].path(namespace), query)
        named = {"apiVersion": KINDS[kind].api_version, "kind": kind}  # the items of a list leave them out
        return [named | each for each in found.get("items") or ()]

    async def read_namespace_labels(self, name: str) -> Mapping[str, str]:
        found = await self._send("GET", f"/api/v1/namespaces/{name}")
        return dict(found["metadata"].get("labels") or {})

    async def read_admission_policy(self, kind: str, name: str) -> Object:
        """A ValidatingAdmissionPolicy (`policies`) or a binding of it (`policybindings`)."""
        return await self._send("GET", f"/apis/admissionregistration.k8s.io/v1/validatingadmission{kind}/{name}")

    async def read_definition(self) -> Object:
        """Of the kind MCPServer."""
        return await self._send("GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/mcpservers.kagent.dev")

    async def read_owners(self, namespace: str, deployment: str) -> list[Object]:
        """The ownerReferences of what goes away with that Deployment; none where there is no such Deployment."""
        found = await self.read("Deployment", namespace, deployment) if deployment else None
        if found is None:
            return []
        return [{"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment, "uid": found["metadata"]["uid"]}]

    async def read_status_fields(self) -> frozenset[str] | None:
        """Fields of an MCPServer's status that the served schema declares; None: it takes any, or is not out yet."""
        try:
            document = await self._send("GET", "/openapi/v3/apis/kagent.dev/v1alpha1")
        except StatusFailure as failure:
            if failure.http_status != 404:
                raise
            return None  # published some seconds after the definition; a status that is refused asks again
        for schema in (document.get("components") or {}).get("schemas", {}).values():
            kinds = {each.get("kind") for each in schema.get("x-kubernetes-group-version-kind") or ()}
            if "MCPServer" in kinds:
                status = (schema.get("properties") or {}).get("status") or {}
                return frozenset(status["properties"]) if status.get("properties") else None
        return None

    async def apply(
        self,
        manifest: Mapping[str, Any],
        *,
        force: bool,
        manager: str = MANAGER,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> Object:
        metadata = manifest["metadata"]
        path = KINDS[manifest["kind"]].path(metadata["namespace"], metadata["name"], subresource)
        # An apply refuses unknown fields by itself; asking for that once more costs the API server a third of its work.
        query = [("fieldManager", manager), ("force", str(force).lower()), ("fieldValidation", "Ignore")]
        query += [("dryRun", "All")] if dry_run else []
        return await self._send("PATCH", path, query, manifest, "application/apply-patch+yaml")

    async def create_by_apply(self, manifest: Mapping[str, Any]) -> Object:
        """An apply that only creates: any object in the place has another version, and the answer is a conflict."""
        # No stored object has version 1: with one in the place the apply is a conflict, without one it creates.
        return await self.apply({**manifest, "metadata": {**manifest["metadata"], "resourceVersion": "1"}}, force=False)

    async def withdraw(self, found: Mapping[str, Any], manager: str) -> Object:
        """Give up every field that `manager` owns of an object."""
        return await self.apply(identity(found), force=False, manager=manager)

    async def patch(self, found: Mapping[str, Any], body: Mapping[str, Any]) -> Object:
        """A merge patch."""
        metadata = found["metadata"]
        path = KINDS[found["kind"]].path(metadata["namespace"], metadata["name"])
        query = [("fieldManager", MANAGER)]
        return await self._send("PATCH", path, query, body, objects.CONTENT_TYPES["merge"])

    async def delete(self, found: Mapping[str, Any]) -> None:
        """Delete exactly this object in exactly this state; it may be gone already."""
        metadata = found["metadata"]
        conditions = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        path = KINDS[found["kind"]].path(metadata["namespace"], metadata["name"])
        try:
            await self._send("DELETE", path, (), {**body, "preconditions": conditions})
        except StatusFailure as failure:
            if failure.http_status != 404:
                raise

    async def create(self, body: Mapping[str, Any]) -> Object:
        path = KINDS[body["kind"]].path(body["metadata"]["namespace"])
        return await self._send("POST", path, [("fieldManager", MANAGER)], body)

    async def review(self, path: str, spec: Mapping[str, Any]) -> Object:
        """A question to the API server; nothing is stored."""
        return await self._send("POST", path, (), {"spec": spec})

    async def replace(self, body: Mapping[str, Any]) -> Object:
        metadata = body["metadata"]
        path = KINDS[body["kind"]].path(metadata["namespace"], metadata["name"])
        return await self._send("PUT", path, [("fieldManager", MANAGER)], body)

    async def _send(self, method: str, path: str, query: Any = (), body: Any = None, content: str = "") -> Object:
        for attempt in range(_THROTTLED + 1):
            await self._wait_for_budget()
            try:
                return await self._send_once(method, path, query, body, content or "application/json")
            except StatusFailure as failure:
                if failure.http_status != 429 or attempt == _THROTTLED:
                    raise
                await asyncio.sleep((failure.status.get("details") or {}).get("retryAfterSeconds") or 1)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _send_once(self, method: str, path: str, query: Any, body: Any, content: str) -> Object:
        resource, started, code = resource_of(path), time.monotonic(), "none"  # none: no answer
        try:
            answer: Object = await self._api.send(method, path, query, body, content)
            code = "200"
        except StatusFailure as failure:
            code = str(failure.http_status)
            raise
        else:
            return answer
        finally:
            if code != "none":
                self.answered_at = asyncio.get_running_loop().time()
                self.metrics.api_success.set_to_current_time()
            self.metrics.api_requests.labels(method, resource, code).inc()
            self.metrics.api_duration.labels(method, resource).observe(time.monotonic() - started)

    async def _wait_for_budget(self) -> None:
        """Wait for this request's place in the budget."""
        now = asyncio.get_running_loop().time()
        # Time that was not used is not saved up, but for a tenth of a second: no bursts after a quiet hour.
        self._next = max(self._next + self._interval, now - 0.1)
        if self._next > now:
            await asyncio.sleep(self._next - now)


def resource_of(path: str) -> str:
    """`pods`, `mcpservers/status`: what a request's path is about, without names."""
    parts = path.strip("/").split("/")
    if parts[0] not in ("api", "apis"):
        return parts[0]
    rest = parts[2:] if parts[0] == "api" else parts[3:]
    rest = rest[2:] if rest[0] == "namespaces" and len(rest) > 2 else rest
    return "/".join((rest[0], *rest[2:3]))


def identity(found: Mapping[str, Any]) -> Object:
    metadata = {key: found["metadata"][key] for key in ("name", "namespace", "uid") if found["metadata"].get(key)}
    return {"apiVersion": found["apiVersion"], "kind": found["kind"], "metadata": metadata}
