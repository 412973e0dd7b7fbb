"""Pods that look like proxies from outside: connected to istiod, or with recorded answers on their admin port."""

from collections.abc import Mapping
from typing import Any

from kmcp_runtime import ToolFailure
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.portforward import Door, ask
from tests.kubernetes.conftest import pod
from tests.kubernetes.making import Object, make, running
from tests.waiting import until

BINARY = "/mesh-proxy"
_FIELDS = {"POD_NAME": "metadata.name", "POD_NAMESPACE": "metadata.namespace", "POD_IP": "status.podIP"}


def proxy_pod(name: str, image: str, *arguments: str) -> Object:
    """A pod whose one container is the proxy."""
    body = pod(name, image, BINARY, *arguments)
    (only,) = body["spec"]["containers"]
    only["name"] = "istio-proxy"
    only["env"] = [
        {"name": variable, "valueFrom": {"fieldRef": {"fieldPath": path}}} for variable, path in _FIELDS.items()
    ]
    return body


async def serve_recording(api: KubeApi, namespace: str, body: Object, files: Mapping[str, str]) -> Any:
    """A running pod that answers each path of its admin interface (`/` written `_`) with a recorded text."""
    name = body["metadata"]["name"]
    await make(api, f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": {"name": name}, "data": dict(files)})
    (only,) = body["spec"]["containers"]
    only["command"] = [BINARY, "-files=/recorded"]
    only["volumeMounts"] = [{"name": "recorded", "mountPath": "/recorded"}]
    body["spec"]["volumes"] = [{"name": "recorded", "configMap": {"name": name}}]
    found = await running(api, namespace, body)
    door = Door(namespace, name, 15000)

    async def listens() -> bool:
        try:
            await ask(api, door, "/")
        except ToolFailure:
            return False
        return True

    await until(listens, what=f"the admin interface of pod {name}")
    return found
