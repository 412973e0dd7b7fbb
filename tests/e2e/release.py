"""A release of the chart on real pods: its life, its MCPServers, and clients inside the cluster."""

import asyncio
import json
import secrets
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kmcp_runtime import ToolFailure
from kmcp_runtime.kube.api import KubeApi
from tests.applying import apply
from tests.chart.rendering import CHART, Chart
from tests.cluster import suite_images
from tests.cluster.model import Cluster
from tests.waiting import until, wait_for_listener

Object = dict[str, Any]
PATIENCE = 180.0
"""Seconds for pods to start on a busy machine; a quiet one needs fifteen."""
PROGRAM = Path(__file__).parent / "programs/words.py"
IMAGE = suite_images.reference("kubernetes")
ADDED = {"app.kubernetes.io/managed-by": "kmcp-tests"}
VALUES: Object = {
    "image": {"repository": f"{suite_images.REGISTRY}kmcp-controller", "tag": suite_images.tag()},
    "controller": {
        "replicaCount": 2,
        "healthProbe": {"readinessProbe": {"initialDelaySeconds": 1, "periodSeconds": 2}},
    },
    "discovery": {"intervalSeconds": 10},
    "catalog": {"pinning": {"allowBlock": True}},
    "resources": {"limits": {"cpu": None}},
}


class Release:
    """In a namespace of its own, which is all that its controllers watch: other tests use the cluster too."""

    def __init__(self, api: KubeApi, cluster: Cluster, helm: Path, home: Path) -> None:
        self.api, self.cluster, self.chart, self._home = api, cluster, Chart(helm), home
        self.namespace = ""
        self._lives = False
        self._namespaces: list[str] = []

    async def installed(self) -> None:
        if self._lives:
            return
        self.namespace, self._lives = f"e2e-{secrets.token_hex(4)}", True
        self._namespaces.append(self.namespace)
        await self.api.send("POST", "/api/v1/namespaces", (), {"metadata": {"name": self.namespace}})
        values = self._home / "values.json"
        values.write_text(json.dumps({**VALUES, "rbac": {"namespaces": [self.namespace]}}))
        await self._helm("install", self.namespace, str(CHART), "-n", self.namespace, "--values", str(values))

    async def uninstalled(self) -> None:
        self._lives = False
        await self._helm("uninstall", self.namespace, "-n", self.namespace, "--wait")

    async def tidied(self) -> None:
        """Without what tests have added."""
        for collection in ("kagent.dev/v1alpha1/mcpservers", "v1/configmaps"):
            selector = [("labelSelector", "app.kubernetes.io/managed-by=kmcp-tests")]
            await self.api.send("DELETE", self.path(collection), selector)

    async def end(self) -> None:
        if self._lives:
            await self.uninstalled()
        for name in self._namespaces:
            await self.api.send("DELETE", f"/api/v1/namespaces/{name}")

    async def _helm(self, *arguments: str) -> None:
        variables = {"KUBECONFIG": str(self.cluster.kubeconfig), "HOME": str(self._home)}
        await asyncio.to_thread(self.chart.run, *arguments, **variables)

    def path(self, collection: str, name: str = "") -> str:
        """`collection` is `v1/pods`, `apps/v1/deployments` and the like."""
        group, _, plural = collection.rpartition("/")
        root = "api" if group == "v1" else "apis"
        return f"/{root}/{group}/namespaces/{self.namespace}/{plural}/{name}".rstrip("/")

    async def get(self, collection: str, name: str) -> Object:
        """Empty where there is none."""
        try:
            found: Object = await self.api.get(self.path(collection, name))
        except ToolFailure as failure:
            if failure.code != "not_found":
                raise
            return {}
        return found

    async def all(self, collection: str, selector: str = "") -> list[Object]:
        found = await self.api.get(self.path(collection), [("labelSelector", selector)] if selector else ())
        return list(found["items"])

    async def server(self, name: str, spec: Mapping[str, Any], **annotations: str) -> None:
        """Make or change an MCPServer; annotations are ours, `_` for `-`."""
        ours = {f"kmcp-suite/{key.replace('_', '-')}": value for key, value in annotations.items()}
        metadata = {"name": name, "annotations": ours, "labels": ADDED}
        body = {"apiVersion": "kagent.dev/v1alpha1", "kind": "MCPServer", "metadata": metadata, "spec": dict(spec)}
        await apply(self.api, body, self.namespace)

    async def words(self, name: str, about: str = "Say a word again.", **annotations: str) -> None:
        """An MCPServer of the stdio program words.py."""
        await self.config_map("words", {PROGRAM.name: PROGRAM.read_text()})
        deployment = {
            "image": IMAGE,
            "cmd": "python",
            "args": [f"/configmaps/words/{PROGRAM.name}"],
            "env": {"ABOUT": about},
            "configMapRefs": [{"name": "words"}],
        }
        await self.server(name, {"transportType": "stdio", "deployment": deployment}, **annotations)

    async def config_map(self, name: str, data: Mapping[str, str]) -> None:
        metadata = {"name": name, "labels": ADDED}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(data)}
        await apply(self.api, body, self.namespace)

    async def url(self, name: str) -> str:
        """Of a server's Service, once this machine gets through to it."""
        spec = (await self.get("v1/services", name))["spec"]
        host, port = spec["clusterIP"], spec["ports"][0]["port"]
        await wait_for_listener(host, port)
        return f"http://{host}:{port}/mcp"

    async def pods(self, name: str) -> list[Object]:
        """Those of a server that stay."""
        found = await self.all("v1/pods", f"kmcp-suite/server={name}")
        return [pod for pod in found if not pod["metadata"].get("deletionTimestamp")]

    async def endpoints(self, name: str) -> set[str]:
        """Addresses that get the traffic of a server's Service."""
        slices = await self.all("discovery.k8s.io/v1/endpointslices", f"kubernetes.io/service-name={name}")
        found = [endpoint for each in slices for endpoint in each.get("endpoints") or ()]
        return {address for each in found if each["conditions"].get("ready") for address in each["addresses"]}

    async def events(self, name: str) -> set[str]:
        """Reasons of the Events on an MCPServer."""
        found = await self.all("v1/events")
        return {each["reason"] for each in found if each["involvedObject"]["name"] == name}

    def tagged_anew(self, image: str) -> str:
        """The same image under another name, as a new release has it."""
        other = f"{image}-{secrets.token_hex(4)}"
        tag = [*self.cluster.node, self.cluster.ctr, "--namespace", "k8s.io", "images", "tag", image, other]
        subprocess.run(tag, check=True, capture_output=True)
        return other

    async def when(self, name: str, holds: Callable[[Object], Any], what: str, seconds: float = PATIENCE) -> Object:
        """The MCPServer once it is so."""
        path = self.path("kagent.dev/v1alpha1/mcpservers", name)

        async def look() -> Object:
            found: Object = await self.api.get(path)
            return found

        return await until(look, holds, seconds, f"{what} of MCPServer {name}")

    async def condition(self, name: str, type_: str, status: str, reason: str = "") -> str:
        """The message of the condition once it is so."""

        def so(found: Object) -> bool:
            each = conditions(found).get(type_) or {}
            return each.get("status") == status and reason in ("", each.get("reason"))

        found = await self.when(name, so, f"{type_}={status} {reason}")
        return str(conditions(found)[type_]["message"])

    async def ran(self, script: str, *arguments: str, namespace: str = "", audience: str = "") -> Any:
        """What a Python program printed as JSON, in a pod of the suite's image without rights.

        Its token for `audience` is in the file /token/token, where one is named.
        """
        name = f"client-{secrets.token_hex(4)}"
        container: Object = {
            "name": "client",
            "image": IMAGE,
            "imagePullPolicy": "Never",
            "command": ["python", "-c", script, *arguments],
            "env": [{"name": "HOME", "value": "/tmp"}],
        }
        spec: Object = {"containers": [container], "restartPolicy": "Never", "automountServiceAccountToken": False}
        if audience:
            source = {"serviceAccountToken": {"audience": audience, "path": "token"}}
            container["volumeMounts"] = [{"name": "token", "mountPath": "/token"}]
            spec["volumes"] = [{"name": "token", "projected": {"sources": [source]}}]
        pods = f"/api/v1/namespaces/{namespace or self.namespace}/pods"
        await self.api.send("POST", pods, (), {"metadata": {"name": name}, "spec": spec})
        done = await until(lambda: self.api.get(f"{pods}/{name}"), _ended, PATIENCE, f"the end of pod {name}")
        text = (await self.api.raw("GET", f"{pods}/{name}/log")).decode()
        await self.api.send("DELETE", f"{pods}/{name}")
        assert done["status"]["phase"] == "Succeeded", text
        return json.loads(text.splitlines()[-1])


def conditions(found: Mapping[str, Any]) -> dict[str, Object]:
    return {each["type"]: each for each in (found.get("status") or {}).get("conditions") or ()}


def _ended(pod: Object) -> bool:
    return pod["status"].get("phase") in ("Succeeded", "Failed")
