"""A real istiod with connected proxies: what the tools answer is what istioctl prints."""

import re
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastmcp import Client

from kmcp_istio.server import SERVER
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.kube.api import KubeApi
from tests.cluster.model import Cluster
from tests.istio.conftest import Backend
from tests.istio.definitions import CRDS, module
from tests.istio.images import program_image
from tests.istio.mesh import LABEL, Mesh, chart_settings, installed, member, remove, settings_of
from tests.istio.proxies import proxy_pod
from tests.istio.recordings import table
from tests.kubernetes.making import make, running
from tests.mcp import ToolCaller
from tests.patience import patient
from tests.rights import holding, without
from tests.slowness import whole
from tests.waiting import until

pytestmark = pytest.mark.pods
PROXIES = {"synced": [], "stale": ["-hold=cds"], "wrong": ["-refuse=lds"]}


@pytest.fixture(scope="module")
async def mesh(admin: KubeApi, cluster: Cluster, backend: Backend, mesh_kinds: None) -> AsyncIterator[Mesh]:
    programs = backend("istio")
    image = program_image(cluster, programs["pilot-discovery"], user="1337")
    async with installed(admin, cluster, programs["istioctl"], image) as found:
        yield found


@pytest.fixture(scope="module")
async def tools(mesh: Mesh) -> AsyncIterator[ToolCaller]:
    async with Client(assemble(SERVER, mesh.settings, patient(approval="off"))) as client:
        yield ToolCaller(client)


@pytest.fixture(scope="module")
async def place(admin: KubeApi, mesh: Mesh, proxy_image: str, tools: ToolCaller) -> AsyncIterator[str]:
    """A namespace of the mesh with a Service, and proxies that istiod has served."""
    namespace = await member(admin, mesh)
    await until(lambda: _has_account(admin, namespace), what="the default ServiceAccount")
    spec = {"selector": {"app": "synced"}, "ports": [{"name": "http", "port": 9080}]}
    await make(admin, f"/api/v1/namespaces/{namespace}/services", {"metadata": {"name": "reviews"}, "spec": spec})
    for name, arguments in PROXIES.items():
        body = proxy_pod(name, proxy_image, f"-istiod={mesh.address}:15010", *arguments)
        await running(admin, namespace, body)

    async def settled() -> bool:
        told = await tools.ok("istio_proxy_status", namespace=namespace)
        counts: dict[str, int] = told["counts"]
        return counts == {"proxies": 3, "synced": 1, "stale": 1, "error": 1}

    await until(settled, seconds=90, what="proxies that are synced, stale and in error")
    yield namespace
    await admin.send("DELETE", f"/api/v1/namespaces/{namespace}")


async def _has_account(api: KubeApi, namespace: str) -> bool:
    listed = await api.get(f"/api/v1/namespaces/{namespace}/serviceaccounts")
    return any(item["metadata"]["name"] == "default" for item in listed["items"])


async def test_the_installation(mesh: Mesh) -> None:
    told = mesh.installed
    assert (told["engine"], told["installed"], told["version"]) == ("istioctl", True, "1.31.0")
    assert told["components"] == [{"name": f"istiod-{mesh.revision}", "ready": True, "pods": "1/1"}]
    assert told["messages"] == [
        "Istio core installed",
        "Istiod installed",
        "Pruning removed resources",
        "Installation complete",
    ]


async def test_the_rights_of_an_installation(mesh: Mesh, admin: KubeApi, tmp_path: Path) -> None:
    """Enough to do it all again; without one of them istioctl says which."""
    needs = next(declared.needs for declared in SERVER.tools() if declared.name == "istio_install_istio")
    every, roles = needs
    again = {"profile": "minimal", "revision": mesh.revision, "set": settings_of(mesh.namespace, mesh.image)}
    async with holding(admin, SERVER, mesh.settings, mesh.namespace, needs, tmp_path) as caller:
        assert (await caller.ok("istio_install_istio", **again))["installed"] is True
    for rule, verb, says in ((every, "get", "cannot get"), (every, "list", "cannot list"), (roles, "bind", "cluster")):
        rules = without(needs, rule, verb)
        async with holding(admin, SERVER, mesh.settings, mesh.namespace, rules, tmp_path) as caller:
            refused = await caller.fails("istio_install_istio", **{**again, "revision": f"x-{secrets.token_hex(3)}"})
        assert refused["code"] == "forbidden", refused
        assert says in refused["message"]


async def test_an_installation_by_charts(mesh: Mesh, admin: KubeApi, helm: Path, tmp_path: Path) -> None:
    """Without istioctl, on a machine with helm and Istio's charts: a second revision beside the first."""
    name = f"mesh-{secrets.token_hex(4)}"
    await make(admin, "/api/v1/namespaces", {"metadata": {"name": name, "labels": {LABEL: name}}})
    settings = chart_settings(mesh.settings, helm, tmp_path, name)
    # The custom kinds are there already, and belong to no release of Helm's.
    kinds = yaml.safe_load_all((module("istio.io/istio") / CRDS).read_text())
    excluded = {
        f"values.base.excludedCRDs[{at}]": kind["metadata"]["name"] for at, kind in enumerate(filter(None, kinds))
    }
    given = settings_of(name, mesh.image) | excluded | {"values.defaultRevision": ""}
    try:
        async with Client(assemble(SERVER, settings, patient())) as client:
            caller = ToolCaller(client)
            told = await caller.ok(
                "istio_install_istio", profile="minimal", revision=name, set=given, timeout_seconds=whole(300)
            )
            status = await caller.ok("istio_version")
    finally:
        await remove(admin, name)
    assert (told["engine"], told["installed"]) == ("helm", True)
    assert told["components"] == [{"name": f"istiod-{name}", "ready": True, "pods": "1/1"}]
    assert f"release istiod-{name} of chart istiod" in told["messages"][1]
    assert [each["revision"] for each in status["control_plane"]] == [name]
    assert "istioctl" not in status


async def test_the_status_is_what_istioctl_prints(tools: ToolCaller, mesh: Mesh, place: str) -> None:
    printed = await mesh.istioctl(
        "proxy-status", "--verbosity=1", f"--namespace={place}", f"--revision={mesh.revision}"
    )
    titles = ("NAME", "CLUSTER", "CDS", "LDS", "EDS", "RDS", "ECDS", "ISTIOD", "VERSION")
    shown = sorted(titles, key=printed.splitlines()[0].index)
    expected = [{key: re.sub(r" \(.*\)", "", value) for key, value in row.items()} for row in table(printed, *shown)]
    told = await tools.ok("istio_proxy_status", namespace=place)
    assert [
        {
            "NAME": row["proxy"],
            "CLUSTER": row["cluster"],
            "ISTIOD": row["istiod"],
            "VERSION": row["version"],
            **{name.upper(): row.get(name, "IGNORED") for name in ("cds", "lds", "eds", "rds", "ecds")},
        }
        for row in told["items"]
    ] == [{title: row[title] for title in (*titles[:2], *titles[7:], *titles[2:7])} for row in expected]
    assert "refused by this proxy" in told["items"][-1]["last_error"]


async def test_one_proxy(tools: ToolCaller, mesh: Mesh, place: str) -> None:
    for name, more in (("synced", {"namespace": place}), (f"synced.{place}", {}), ("synced", {})):
        told = await tools.ok("istio_proxy_status", pod_name=name, **more)
        assert [row["proxy"] for row in told["items"]] == [f"synced.{place}"]
    same = await tools.ok("istio_proxy_status", pod_name=f"synced.{place}", diff=True)
    assert all(each == {"only_istiod": [], "only_proxy": []} for each in same["diff"].values())
    wrong = await tools.ok("istio_proxy_status", pod_name=f"wrong.{place}", diff=True)
    assert {"virtualInbound", "virtualOutbound"} <= set(wrong["diff"]["lds"]["only_istiod"])
    assert wrong["diff"]["cds"] == {"only_istiod": [], "only_proxy": []}
    near = await tools.fails("istio_proxy_status", pod_name="synce")
    assert (near["code"], near["hint"]) == ("not_found", "did you mean synced?")
    alone = await tools.fails("istio_proxy_status", diff=True)
    assert alone["code"] == "bad_argument"
    page = await tools.ok("istio_proxy_status", namespace=place, limit=2)
    rest = await tools.ok("istio_proxy_status", namespace=place, limit=2, cursor=page["cursor"])
    assert [row["proxy"] for row in [*page["items"], *rest["items"]]] == [f"{name}.{place}" for name in sorted(PROXIES)]
    nobody = await tools.ok("istio_proxy_status", namespace="default")
    assert (nobody["items"], nobody["counts"]["proxies"]) == ([], 0)
    assert "No proxy from namespace default" in nobody["hint"]


async def test_configuration_is_what_istioctl_prints(tools: ToolCaller, mesh: Mesh, place: str) -> None:
    async def rows(config_type: str) -> list[dict[str, Any]]:
        told = await tools.ok("istio_proxy_config", pod_name=f"synced.{place}", config_type=config_type, limit=500)
        found: list[dict[str, Any]] = told["items"]
        return found

    async def printed(config_type: str, *titles: str) -> list[tuple[str, ...]]:
        text = await mesh.istioctl("proxy-config", config_type, f"synced.{place}")
        return sorted(tuple(row.values()) for row in table(text, *titles))

    assert sorted(
        (each["fqdn"], str(each.get("port", "-")), each.get("subset", "-"), each.get("direction", "-"), each["type"])
        for each in await rows("cluster")
    ) == [
        each[:5]
        for each in await printed("cluster", "SERVICE FQDN", "PORT", "SUBSET", "DIRECTION", "TYPE", "DESTINATION RULE")
    ]
    assert sorted(
        # istioctl prints nothing as the address of a listener within Envoy.
        (each["address"].replace("internal", ""), str(each.get("port", 0)), each["match"], each["destination"])
        for each in await rows("listener")
    ) == await printed("listener", "ADDRESSES", "PORT", "MATCH", "DESTINATION")
    assert sorted(
        (each["name"], each["domains"], each["match"], each.get("virtual_service", "")) for each in await rows("route")
    ) == [
        (each[0], *each[2:])
        for each in await printed("route", "NAME", "VHOST NAME", "DOMAINS", "MATCH", "VIRTUAL SERVICE")
    ]
    assert sorted(
        (each["address"], each["status"], each["outlier"], each["cluster"]) for each in await rows("endpoint")
    ) == await printed("endpoint", "ENDPOINT", "STATUS", "OUTLIER CHECK", "CLUSTER")
    (started,) = await rows("bootstrap")
    assert started["istio_version"] == "1.31.0"


async def test_versions(tools: ToolCaller, mesh: Mesh, place: str) -> None:
    told = await tools.ok("istio_version", short="true")
    (control_plane,) = told["control_plane"]
    assert (control_plane["revision"], control_plane["version"]) == (mesh.revision, "1.31.0")
    assert told["data_plane"] == [{"version": "1.31.0", "proxies": 3}]
    assert told["istioctl"] == "1.31.0"
    assert "warnings" not in told


async def test_remote_clusters_are_what_istioctl_prints(tools: ToolCaller, mesh: Mesh) -> None:
    told = await tools.ok("istio_remote_clusters", revision=mesh.revision)
    printed = table(
        await mesh.istioctl("remote-clusters", f"--revision={mesh.revision}"),
        "NAME",
        "SECRET",
        "STATUS",
        "ISTIOD",
        "REVISION",
    )
    assert [(each["cluster"], each["status"], each["istiod"], each["revision"]) for each in told["items"]] == [
        (each["NAME"], each["STATUS"], each["ISTIOD"], each["REVISION"]) for each in printed
    ]
    unknown = await tools.fails("istio_remote_clusters", revision="mash")
    assert unknown["code"] == "not_found"
    assert mesh.revision in unknown["hint"]


async def test_a_waypoint_is_what_istioctl_makes_and_prints(tools: ToolCaller, mesh: Mesh, place: str) -> None:
    """Programmed by the real istiod; no Envoy is to be had that would make its Deployment ready."""
    wanted = {"namespace": place, "traffic_type": "service", "revision": mesh.revision}
    drafted = await tools.ok("istio_generate_waypoint", **wanted)
    generated = await mesh.istioctl(
        "waypoint", "generate", f"--namespace={place}", "--for=service", f"--revision={mesh.revision}"
    )
    assert yaml.safe_load(drafted["yaml"]) == yaml.safe_load(generated)
    applied = await tools.ok("istio_apply_waypoint", **wanted, wait=True, timeout_seconds=whole(90))
    assert (applied["result"], applied["programmed"]) == ("created", True)
    (state,) = (await tools.ok("istio_waypoint_status", namespace=place))["items"]
    assert (state["accepted"], state["deployment_ready"]) == (True, False)
    (row,) = table(
        await mesh.istioctl("waypoint", "status", f"--namespace={place}"), "NAME", "STATUS", "TYPE", "REASON", "MESSAGE"
    )
    assert tuple(row.values()) == (
        state["name"],
        str(state["programmed"]),
        "Programmed",
        state["reason"],
        state["message"],
    )
    (listed,) = (await tools.ok("istio_list_waypoints", namespace=place))["items"]
    (row,) = table(
        await mesh.istioctl("waypoint", "list", f"--namespace={place}"),
        "NAME",
        "REVISION",
        "TRAFFIC TYPE",
        "PROGRAMMED",
    )
    assert tuple(row.values()) == (
        listed["name"],
        listed["revision"],
        listed["traffic_type"],
        str(listed["programmed"]),
    )
    gone = await tools.ok("istio_delete_waypoint", namespace=place, all=True)
    assert gone["items"] == [{"name": "waypoint", "result": "deleted"}]
    assert "No waypoints found" in await mesh.istioctl("waypoint", "list", f"--namespace={place}")


async def test_a_plan_of_the_same_installation(tools: ToolCaller, mesh: Mesh, cluster: Cluster) -> None:
    images = await tools.ok("istio_generate_manifest", profile="minimal", kinds=["Deployment"], revision=mesh.revision)
    assert images["objects"] == [{"kind": "Deployment", "name": f"istiod-{mesh.revision}", "namespace": mesh.namespace}]
    plan = await tools.ok(
        "istio_install_istio",
        profile="minimal",
        revision=mesh.revision,
        dry_run=True,
        set=settings_of(mesh.namespace, "localhost/other:1"),
    )
    assert (plan["engine"], plan["installed"], plan["dry_run"]) == ("istioctl", False, True)
    changes = {each["kind"]: each for each in plan["changes"]}
    assert (changes["Deployment"]["configured"], changes["Deployment"]["created"]) == (1, 0)
    assert changes["ServiceAccount"]["configured"] == 0
    wrong = await tools.fails("istio_install_istio", profile="minimal", set={"values.nonsense.x": "1", "nonsense": "1"})
    assert wrong["code"] == "bad_argument"
    assert "nonsense" in wrong["message"]
    assert wrong["backend"] == "istioctl"
