"""Faults planted into a namespace: found by our own checks, and by istioctl in the same words."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastmcp import Client

from kmcp_istio.analysis.checks import CODES
from kmcp_istio.analysis.snapshot import NETWORKING
from kmcp_istio.server import SERVER
from kmcp_istio.settings import IstioSettings
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.kube.api import KubeApi
from tests.hiding import without_groups
from tests.istio.conftest import Backend
from tests.kubernetes.conftest import pod
from tests.kubernetes.making import make
from tests.mcp import ToolCaller
from tests.patience import patient

pytestmark = pytest.mark.cluster
FAULTY = """
kind: Service
metadata: {name: reviews}
spec: {selector: {app: reviews}, ports: [{name: http, port: 9080}, {name: strange, port: 9081}]}
---
kind: Service
metadata: {name: edge}
spec: {selector: {app: edge}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
kind: DestinationRule
metadata: {name: reviews}
spec: {host: reviews, subsets: [{name: v1, labels: {version: v1}}]}
---
kind: Gateway
metadata: {name: edge}
spec:
  selector: {app: edge}
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, hosts: [shop.example.com]}
  - {port: {number: 8443, name: https, protocol: HTTP}, hosts: [shop.example.com]}
---
kind: Gateway
metadata: {name: lonely}
spec:
  selector: {app: nobody}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]
---
kind: VirtualService
metadata: {name: fine}
spec:
  hosts: [shop.example.com]
  gateways: [edge]
  http: [{route: [{destination: {host: reviews, subset: v1, port: {number: 9080}}}]}]
---
kind: VirtualService
metadata: {name: lost}
spec:
  hosts: [other.example.com]
  gateways: [edge, absent]
  http:
  - route: [{destination: {host: reviews, subset: v9, port: {number: 9080}}}]
    mirror: {host: nowhere.elsewhere.svc.cluster.local}
  - route: [{destination: {host: missing}}]
---
kind: VirtualService
metadata: {name: first}
spec: {hosts: [reviews], http: [{route: [{destination: {host: reviews, port: {number: 9080}}}]}]}
---
kind: VirtualService
metadata: {name: second}
spec: {hosts: [reviews], http: [{route: [{destination: {host: reviews, port: {number: 9080}}}]}]}
---
kind: ServiceEntry
metadata: {name: outside}
spec:
  hosts: ["*.outside.example.com"]
  ports: [{number: 443, name: tls, protocol: TLS}]
  resolution: NONE
---
kind: VirtualService
metadata: {name: outside}
spec:
  hosts: [api.outside.example.com]
  tls:
  - match: [{port: 443, sniHosts: [api.outside.example.com]}]
    route: [{destination: {host: api.outside.example.com}}]
---
kind: VirtualService
metadata: {name: accepted, annotations: {galley.istio.io/analyze-suppress: IST0101}}
spec: {hosts: [accepted], http: [{route: [{destination: {host: missing}}]}]}
"""
EXPECTED = {
    ("IST0118", "Service", "reviews"),
    ("IST0162", "Gateway", "edge"),
    ("IST0101", "Gateway", "lonely"),
    ("IST0101", "VirtualService", "lost"),
    ("IST0132", "VirtualService", "lost"),
    ("IST0109", "VirtualService", "first"),
    ("IST0109", "VirtualService", "second"),
    ("IST0103", "Pod", "plain"),
}


@pytest.fixture
async def faulty(api: KubeApi, namespace: str, mesh_kinds: None) -> str:
    """A namespace with the faults, injected, with pods that no node runs."""
    body = {"metadata": {"labels": {"istio-injection": "enabled"}}}
    await api.send("PATCH", f"/api/v1/namespaces/{namespace}", (), body, "application/merge-patch+json")
    for document in yaml.safe_load_all(FAULTY):
        plural = f"{document['kind'].lower()}s".replace("entrys", "entries")
        core = document["kind"] == "Service"
        prefix = "/api/v1" if core else f"/apis/{NETWORKING}/v1"
        content = {"apiVersion": "v1" if core else f"{NETWORKING}/v1", **document}
        await make(api, f"{prefix}/namespaces/{namespace}/{plural}", content)
    for name, labels in (("plain", {"app": "plain"}), ("edge", {"app": "edge", "sidecar.istio.io/inject": "false"})):
        found = pod(name, "none", schedulerName="none")
        found["metadata"]["labels"] = labels
        await make(api, f"/api/v1/namespaces/{namespace}/pods", found)
    return namespace


@pytest.fixture
async def unaided(settings: IstioSettings) -> AsyncIterator[ToolCaller]:
    """The server on a machine without istioctl."""
    own = settings.model_copy(update={"istioctl": "/nowhere/istioctl"})
    async with Client(assemble(SERVER, own, patient())) as client:
        yield ToolCaller(client)


def found(told: dict[str, Any], namespace: str) -> set[tuple[str, str, str]]:
    items = [(item["code"], *item["origin"].split(" ", 1)) for item in told["items"]]
    return {(code, kind, name.removeprefix(f"{namespace}/")) for code, kind, name in items}


async def test_our_own_checks(unaided: ToolCaller, faulty: str) -> None:
    told = await unaided.ok("istio_analyze_cluster_configuration", namespace=faulty)
    assert found(told, faulty) == EXPECTED
    assert told["engine"] == "built-in checks"
    assert "it is not on this server" in told["warnings"][0]
    assert "KMCP_ISTIOCTL" in told["warnings"][0]
    assert [item["level"] for item in told["items"]] == sorted(
        (item["level"] for item in told["items"]), key=["Error", "Warning", "Info"].index
    )
    assert told["counts"]["Error"] == sum(item["level"] == "Error" for item in told["items"])
    messages = {item["message"] for item in told["items"]}
    assert 'Referenced host not found: "missing"' in messages
    assert 'Referenced mirror host not found: "nowhere.elsewhere.svc.cluster.local"' in messages
    assert 'Referenced host+subset in destinationrule not found: "reviews+v9"' in messages
    assert 'Referenced gateway not found: "absent"' in messages


async def test_what_a_caller_does_not_want_to_see(unaided: ToolCaller, faulty: str, api: KubeApi) -> None:
    worst = await unaided.ok("istio_analyze_cluster_configuration", namespace=faulty, level="Error")
    assert {item["level"] for item in worst["items"]} == {"Error"}
    suppressed = await unaided.ok(
        "istio_analyze_cluster_configuration",
        namespace=faulty,
        suppress=[f"IST0103=Pod plain.{faulty}", f"IST0109=VirtualService *.{faulty}", f"IST0118=Service {faulty}/*"],
    )
    assert {code for code, _, _ in EXPECTED} - {code for code, _, _ in found(suppressed, faulty)} == {
        "IST0103",
        "IST0109",
        "IST0118",
    }
    body = {"metadata": {"labels": {"istio-injection": None}}}
    await api.send("PATCH", f"/api/v1/namespaces/{faulty}", (), body, "application/merge-patch+json")
    outside = await unaided.ok("istio_analyze_cluster_configuration", namespace=faulty)
    assert ("IST0102", "Namespace", faulty) in found(outside, faulty)
    assert "IST0103" not in {code for code, _, _ in found(outside, faulty)}
    everywhere = await unaided.ok("istio_analyze_cluster_configuration", level="Error")
    assert f"VirtualService {faulty}/lost" in {item["origin"] for item in everywhere["items"]}


async def test_nothing_to_find(unaided: ToolCaller, api: KubeApi, namespace: str) -> None:
    body = {"metadata": {"labels": {"istio-injection": "disabled"}}}
    await api.send("PATCH", f"/api/v1/namespaces/{namespace}", (), body, "application/merge-patch+json")
    told = await unaided.ok("istio_analyze_cluster_configuration", namespace=namespace)
    assert (told["items"], told["hint"]) == ([], f"No faults were found in namespace {namespace}.")
    absent = await unaided.fails("istio_analyze_cluster_configuration", namespace=f"{namespace}x")
    assert (absent["code"], absent["hint"]) == ("not_found", f"did you mean {namespace}?")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"suppress": ["IST0103"]}, "CODE=KIND name.namespace"),
        ({"suppress": ["IST0103=Pod x --level=Error"]}, "CODE=KIND name.namespace"),
        ({"level": "error"}, "did you mean Error?"),
        ({"revision": "--x"}, "revision"),
        ({"timeout_seconds": 0}, "timeout_seconds"),
        ({"namespace": "-A"}, "starts with '-'"),
    ],
)
async def test_arguments_that_cannot_be_meant(unaided: ToolCaller, arguments: dict[str, Any], says: str) -> None:
    refused = await unaided.fails("istio_analyze_cluster_configuration", **arguments)
    assert refused["code"] == "bad_argument"
    assert says in refused["message"]


async def test_without_istio(api: KubeApi, tmp_path: Path) -> None:
    async with without_groups(api, tmp_path, NETWORKING) as kubeconfig:
        own = IstioSettings(kubeconfig=str(kubeconfig), istioctl="/nowhere/istioctl")
        async with Client(assemble(SERVER, own, patient())) as client:
            absent = await ToolCaller(client).fails("istio_analyze_cluster_configuration", namespace="default")
    assert absent["code"] == "unavailable"
    assert "Istio is not installed" in absent["message"]


async def test_istioctl_finds_the_same(
    settings: IstioSettings, unaided: ToolCaller, backend: Backend, faulty: str
) -> None:
    own = settings.model_copy(update={"istioctl": str(backend("istio")["istioctl"])})
    async with Client(assemble(SERVER, own, patient())) as client:
        theirs = await ToolCaller(client).ok("istio_analyze_cluster_configuration", namespace=faulty)
    ours = await unaided.ok("istio_analyze_cluster_configuration", namespace=faulty)
    assert theirs["engine"] == "istioctl"
    assert _comparable(theirs) == _comparable(ours)
    assert all(item["documentationUrl"].startswith("https://istio.io/") for item in theirs["items"])


async def test_I5_system_namespaces_are_left_out_as_istioctl_leaves_them_out(
    settings: IstioSettings, unaided: ToolCaller, backend: Backend, faulty: str
) -> None:
    own = settings.model_copy(update={"istioctl": str(backend("istio")["istioctl"])})
    system = {"kube-system", "kube-public", "kube-node-lease"}
    async with Client(assemble(SERVER, own, patient())) as client:
        theirs = ToolCaller(client)
        for arguments in ({}, {"namespace": "kube-system"}, {"namespace": "kube-public"}):
            about = []
            for caller in (theirs, unaided):
                told = await caller.ok("istio_analyze_cluster_configuration", **arguments)
                homes = {item["origin"].partition(" ")[2].partition("/")[0] for item in told["items"]}
                about.append(homes & system)
            assert about == [set(), set()], arguments


def _comparable(told: dict[str, Any]) -> set[tuple[str, str, str, str]]:
    fields = ("code", "level", "origin", "message")
    return {tuple(item[field] for field in fields) for item in told["items"] if item["code"] in CODES}
