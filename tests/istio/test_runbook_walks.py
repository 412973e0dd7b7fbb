"""The runbook of the Istio server is followed to a rule that switches the mesh's TLS off for a strict server."""

import pytest
from fastmcp import Client

from kmcp_istio.server import SERVER
from kmcp_istio.settings import IstioSettings
from kmcp_kubernetes.server import SERVER as KUBERNETES
from kmcp_kubernetes.settings import KubernetesSettings
from kmcp_runtime.engine.assembly import compose
from kmcp_runtime.engine.configured import ConfiguredServer, Process
from kmcp_runtime.kube.api import KubeApi
from tests.applying import apply
from tests.cluster.model import Cluster
from tests.istio import recordings
from tests.istio.proxies import proxy_pod, serve_recording
from tests.mcp import ToolCaller
from tests.patience import patient
from tests.runbooks.walking import Walk
from tests.slowness import scaled

pytestmark = pytest.mark.pods


async def test_mesh_mtls(
    settings: IstioSettings, api: KubeApi, cluster: Cluster, namespace: str, proxy_image: str
) -> None:
    """The recorded proxy has a certificate of 2023, and nobody renews it."""
    files = {"config_dump": recordings.whole(), "clusters": recordings.CLUSTERS, "stats": recordings.STATS}
    await serve_recording(api, namespace, proxy_pod("web", proxy_image), files)
    strict = {"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication", "metadata": {"name": "default"}}
    await apply(api, {**strict, "spec": {"mtls": {"mode": "STRICT"}}}, namespace)
    plain = {"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule", "metadata": {"name": "plain"}}
    host = f"web.{namespace}.svc.cluster.local"
    await apply(api, {**plain, "spec": {"host": host, "trafficPolicy": {"tls": {"mode": "DISABLE"}}}}, namespace)
    process = Process.of(patient())
    kubernetes = KubernetesSettings(kubeconfig=str(cluster.kubeconfig), kube_timeout=scaled(30))
    settings = settings.model_copy(update={"istio_namespace": namespace})
    both = [ConfiguredServer(SERVER, settings, process), ConfiguredServer(KUBERNETES, kubernetes, process)]
    async with Client(compose("mesh", both, None)) as client:
        walk = Walk("mesh-mtls", ToolCaller(client), pod="web", namespace=namespace)
        await walk.step(1, "istio-proxy")
        await walk.step(2, "valid", "false", "expiry", "default")
        assert namespace in await walk.step(3, "STRICT")
        assert host in await walk.step(4, "DISABLE")
        await walk.step(5, "Istio is not installed")
        await walk.step(6, "IST0102")
        walk.end()
