"""A namespace of the cluster, and the objects that tests of destruction make in it."""

from typing import Any

from kmcp_runtime.kube.api import KubeApi
from tests.kubernetes.making import Object, config_map, make
from tests.kubernetes.test_rollouts import path_of, workload

MERGE = "application/merge-patch+json"


class Place:
    """A namespace of the cluster."""

    def __init__(self, api: KubeApi, namespace: str) -> None:
        self.api, self.namespace = api, namespace
        self.core, self.apps = f"/api/v1/namespaces/{namespace}", f"/apis/apps/v1/namespaces/{namespace}"

    def apis(self, version: str) -> str:
        return f"/apis/{version}/namespaces/{self.namespace}"

    async def send(self, collection: str, body: Object) -> Object:
        made: Object = await self.api.send("POST", collection, (("fieldManager", "somebody"),), body)
        return made

    async def config_map(self, name: str = "settings", **metadata: Any) -> Object:
        body = config_map(name, a="b", c="d")
        body["metadata"] |= metadata
        return await self.send(f"{self.core}/configmaps", body)

    async def secret(self) -> Object:
        body = {"metadata": {"name": "login"}, "stringData": {"user": "me", "word": "xyzzy-plugh"}}
        return await self.send(f"{self.core}/secrets", body)

    async def workload(self, kind: str = "Deployment", replicas: int = 1, **spec: Any) -> Object:
        body = workload(kind, "none", replicas=replicas)
        body["spec"]["template"]["spec"]["schedulerName"] = "none"
        body["spec"] |= spec
        return await make(self.api, path_of(kind, self.namespace), body)

    async def autoscaler(self) -> Object:
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "w"}
        body = {"metadata": {"name": "auto"}, "spec": {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 3}}
        path = f"/apis/autoscaling/v2/namespaces/{self.namespace}/horizontalpodautoscalers"
        return await make(self.api, path, body)

    async def job(self, kind: str) -> Object:
        pod = {"containers": [{"name": "c", "image": "none"}], "restartPolicy": "Never", "schedulerName": "none"}
        template = {"spec": {"template": {"spec": pod}}}
        spec = template["spec"] if kind == "Job" else {"schedule": "0 0 1 1 *", "jobTemplate": template}
        path = f"/apis/batch/v1/namespaces/{self.namespace}/{kind.lower()}s"
        return await make(self.api, path, {"metadata": {"name": "j"}, "spec": spec})

    async def patch(self, path: str, body: Object) -> Object:
        changed: Object = await self.api.send("PATCH", path, (), body, MERGE)
        return changed

    def patching(self, kind: str, name: str, patch: Any) -> dict[str, Any]:
        return {"resource_type": kind, "resource_name": name, "patch": patch, "namespace": self.namespace}
