"""Cilium's chart put on a cluster and taken away by the helm binary, and what of it is there.

The objects are real, and select a node that does not exist: no image of Cilium can be had here.
"""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kmcp_cilium.rights import RELEASE
from kmcp_runtime import Rule
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.failures import StatusFailure
from kmcp_runtime.kube.settings import ClusterSettings
from tests.cilium.turns import connected
from tests.cluster.model import Cluster
from tests.rights import granted, write_kubeconfig
from tests.slowness import scaled
from tests.waiting import until

NAMESPACE = "kmcp-mesh"
CONFIG = f"/api/v1/namespaces/{NAMESPACE}/configmaps/cilium-config"
SECRETS = "/api/v1/namespaces/cilium-secrets"
NOWHERE = {"kubernetes.io/hostname": "nowhere"}
VALUES: dict[str, Any] = {
    "nodeSelector": NOWHERE,
    "operator": {"nodeSelector": NOWHERE},
    "envoy": {"nodeSelector": NOWHERE},
    "hubble": {"relay": {"nodeSelector": NOWHERE}, "ui": {"nodeSelector": NOWHERE}},
    "clustermesh": {"apiserver": {"nodeSelector": NOWHERE}},
    "certgen": {"nodeSelector": NOWHERE},
}
MESH = {
    "useAPIServer": True,
    "apiserver": {
        "nodeSelector": NOWHERE,
        "service": {"type": "NodePort"},
        "kvstoremesh": {"enabled": False},
        "tls": {"auto": {"method": "cronJob"}},
    },
}
"""Values `clustermesh` of a cluster that others can connect to."""
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


@dataclass(frozen=True)
class Chart:
    """The chart's folder, and the program that installs it."""

    helm: Path
    folder: Path

    async def put(self, cluster: Cluster, api: KubeApi, /, **values: Any) -> None:
        """A release with these values alone, whatever was there before."""
        await until(lambda: _is_settled(api), seconds=90, what="the end of the release before")
        given = json.dumps({**VALUES, **values})
        await self._run(
            cluster, "upgrade", "--install", "--reset-values", "--values=-", "cilium", str(self.folder), given=given
        )

    async def take_away(self, cluster: Cluster, api: KubeApi) -> None:
        """No release, and nothing left of one."""
        await self._run(cluster, "uninstall", "cilium", "--ignore-not-found")
        await until(lambda: absent(api), seconds=90, what="the end of the release")

    async def _run(self, cluster: Cluster, *words: str, given: str = "") -> None:
        argv = [str(self.helm), *words, f"--kubeconfig={cluster.kubeconfig}", f"--namespace={NAMESPACE}"]
        ended = await asyncio.to_thread(subprocess.run, argv, input=given, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr


@asynccontextmanager
async def identity(api: KubeApi, cluster: Cluster, rules: Iterable[Rule], folder: Path) -> AsyncIterator[Path]:
    """The kubeconfig of an identity that holds these rules in the cluster, and nothing else."""
    settings = ClusterSettings(kubeconfig=str(cluster.kubeconfig), kube_timeout=scaled(30))
    async with granted(api, NAMESPACE, rules) as account:
        yield await write_kubeconfig(api, settings, NAMESPACE, account, folder)


@asynccontextmanager
async def operator(api: KubeApi, cluster: Cluster, folder: Path) -> AsyncIterator[Path]:
    """The kubeconfig of an identity that holds what the tools of the chart declare."""
    async with identity(api, cluster, RELEASE, folder) as path, connected(str(path)) as own:
        await until(lambda: _may_escalate(own), what="the rights of the identity")
        yield path


async def _may_escalate(api: KubeApi) -> bool:
    """The authorizer learns of a new binding within moments."""
    wanted = {"group": "rbac.authorization.k8s.io", "resource": "clusterroles", "verb": "escalate"}
    review = await api.send("POST", _REVIEWS, (), {"spec": {"resourceAttributes": wanted}})
    return bool(review["status"]["allowed"])


async def configuration(api: KubeApi) -> dict[str, str]:
    """What the chart has written for agents."""
    return dict((await api.get(CONFIG))["data"])


async def absent(api: KubeApi) -> bool:
    """Whether nothing of a release is left, the namespace that the chart makes included."""
    return await _find(api, CONFIG) is None and await _find(api, SECRETS) is None


async def _is_settled(api: KubeApi) -> bool:
    """Whether the namespace that the chart makes is there, or is not; not on its way out."""
    found = await _find(api, SECRETS)
    return found is None or "deletionTimestamp" not in found["metadata"]


async def known_clusters(api: KubeApi) -> set[str]:
    """The clusters of the mesh that agents have settings for."""
    secret = await api.get(f"/api/v1/namespaces/{NAMESPACE}/secrets/cilium-clustermesh")
    return {key for key in secret.get("data") or {} if "." not in key}


async def share_authority(one: KubeApi, other: KubeApi) -> None:
    path = f"/api/v1/namespaces/{NAMESPACE}/secrets/cilium-ca"
    authority = await one.get(path)
    await other.send("PATCH", path, (), {"data": authority["data"]}, "application/merge-patch+json")


async def forget_authority(api: KubeApi) -> None:
    """The chart makes a new one where there is none; certificates of the old one go too."""
    for name in ("cilium-ca", "clustermesh-apiserver-remote-cert"):
        try:
            await api.send("DELETE", f"/api/v1/namespaces/{NAMESPACE}/secrets/{name}")
        except StatusFailure as failure:
            if failure.http_status != 404:
                raise


async def claim(api: KubeApi) -> bool:
    """Whether the namespace of the release could be made: one installation at a time."""
    try:
        await api.send("POST", "/api/v1/namespaces", (), {"metadata": {"name": NAMESPACE}})
    except StatusFailure as failure:
        if failure.http_status != 409:
            raise
        return False
    return True


def both(kubeconfigs: Mapping[str, Path]) -> dict[str, Any]:
    """A kubeconfig of several clusters, by context."""
    merged: dict[str, Any] = {"current-context": next(iter(kubeconfigs)), "contexts": [], "clusters": [], "users": []}
    for name, path in kubeconfigs.items():
        single = yaml.safe_load(path.read_text())
        merged["contexts"].append({"name": name, "context": {"cluster": name, "user": name}})
        merged["clusters"].append({"name": name, "cluster": single["clusters"][0]["cluster"]})
        merged["users"].append({"name": name, "user": single["users"][0]["user"]})
    return merged


async def _find(api: KubeApi, path: str) -> dict[str, Any] | None:
    try:
        return dict(await api.get(path))
    except StatusFailure as failure:
        if failure.http_status != 404:
            raise
        return None
