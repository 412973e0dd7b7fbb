"""istio_proxy_config of pods whose admin port has recordings of real Envoys: every section, filters, refusals."""

import json
from typing import Any

import pytest

from kmcp_runtime.kube.api import KubeApi
from tests.cluster.model import Cluster
from tests.istio import recordings
from tests.istio.proxies import proxy_pod, serve_recording
from tests.kubernetes.conftest import pod
from tests.kubernetes.making import make, running
from tests.mcp import ToolCaller, unframed

pytestmark = pytest.mark.pods
GOLDEN = "proxyconfig/testdata/config_dump_summary.txt"
LOGGING = "writer/envoy/logging/testdata/logging.txt"


@pytest.fixture(scope="module")
async def place(admin: KubeApi, proxy_image: str, shared_namespace: str) -> str:
    """A namespace with pods `whole` (Istio 1.21) and `mixed` (1.10 to 1.20), and one whose answers are nonsense."""
    common = {"clusters": recordings.CLUSTERS, "logging": recordings.text(LOGGING), "stats": recordings.STATS}
    for name, files in (
        ("whole", {"config_dump": recordings.whole(), **common}),
        ("mixed", {"config_dump": recordings.mixed(), **common}),
        ("nonsense", {"config_dump": "<html>", "clusters": "<html>", "stats": "{}"}),
    ):
        await serve_recording(admin, shared_namespace, proxy_pod(name, proxy_image), files)
    return shared_namespace


async def rows(tools: ToolCaller, pod_name: str, place: str, config_type: str, **more: Any) -> list[dict[str, Any]]:
    told = await tools.ok(
        "istio_proxy_config", pod_name=pod_name, namespace=place, config_type=config_type, limit=500, **more
    )
    assert told["truncated"] is False
    items: list[dict[str, Any]] = told["items"]
    return items


async def test_rows_are_what_istioctl_prints(tools: ToolCaller, place: str) -> None:
    printed = recordings.text(GOLDEN)
    (started,) = await rows(tools, "whole", place, "bootstrap")
    assert f"Istio Version:       {started['istio_version']}" in printed
    clusters = recordings.table(printed, "NAME", "SERVICE FQDN", "PORT", "SUBSET", "DIRECTION", "TYPE", "DESTINATION")
    assert [
        (each["fqdn"], each.get("port"), each.get("subset"), each.get("direction"), each["type"])
        for each in await rows(tools, "whole", place, "cluster")
    ] == [
        (
            each["SERVICE FQDN"].removeprefix("cluster/"),
            int(each["PORT"]) if each["PORT"] != "-" else None,
            each["SUBSET"].strip("-") or None,
            each["DIRECTION"].strip("-") or None,
            each["TYPE"],
        )
        for each in clusters
    ]
    listeners = recordings.table(printed, "NAME", "ADDRESSES", "PORT", "MATCH", "DESTINATION")
    found = await rows(tools, "whole", place, "listener")
    assert {(each["name"], each.get("port", 0), each["destination"]) for each in found} == {
        (each["NAME"].removeprefix("listener/"), int(each["PORT"]), each["DESTINATION"]) for each in listeners
    }
    # Where istioctl prints ALL for each chain of a waypoint's listener, the rows say which connections it takes.
    assert {each["match"] for each in found} >= {
        "ALL",
        "ip=10.104.171.68 -> port=8000",
        "ip=192.168.195.248 -> application-protocol='http/1.1'",
    }
    routes = recordings.table(printed, "NAME", "VHOST NAME", "DOMAINS", "MATCH", "VIRTUAL SERVICE")
    assert [
        (each["name"], each["domains"], each["match"], each.get("virtual_service", ""))
        for each in await rows(tools, "whole", place, "route")
    ] == [
        (each["NAME"].removeprefix("route/"), each["DOMAINS"], each["MATCH"], each["VIRTUAL SERVICE"])
        for each in routes
    ]
    secrets = recordings.table(printed, "RESOURCE NAME", "TYPE", "STATUS", "VALID CERT", "SERIAL NUMBER", "NOT AFTER")
    assert [
        (each["name"], each["type"], each["state"], str(each["valid"]).lower(), each["serial"])
        for each in await rows(tools, "whole", place, "secret")
    ] == [
        (
            each["RESOURCE NAME"].removeprefix("secret/"),
            each["TYPE"],
            each["STATUS"],
            each["VALID CERT"],
            each["SERIAL NUMBER"],
        )
        for each in secrets
    ]


async def test_sections_of_older_proxies(tools: ToolCaller, place: str) -> None:
    folder = "writer/envoy/configdump/testdata"
    (started,) = await rows(tools, "mixed", place, "bootstrap")
    assert (started["istio_version"], started["envoy_version"]) == ("1.10.0", "1.18.3/Clean/RELEASE/BoringSSL")
    assert "1.18.3/Clean/RELEASE/BoringSSL" in recordings.text(f"{folder}/versionsummary.txt")
    extensions = await rows(tools, "mixed", place, "ecds")
    printed = recordings.table(recordings.text(f"{folder}/ecds/output.txt"), "ECDS NAME", "TYPE")
    assert {(each["name"], each["type"]) for each in extensions} >= {
        (each["ECDS NAME"], each["TYPE"]) for each in printed
    }
    routes = await rows(tools, "mixed", place, "route")
    golden = f"{folder}/routes/k8s-gateway-http-route-path-prefix/output.txt"
    expected = recordings.table(recordings.text(golden), "NAME", "VHOST NAME", "DOMAINS", "MATCH", "VIRTUAL SERVICE")
    assert {(each["name"], each["domains"], each["match"]) for each in routes} >= {
        (each["NAME"], each["DOMAINS"], each["MATCH"]) for each in expected
    }
    secrets = await rows(tools, "mixed", place, "secret")
    printed = recordings.table(
        recordings.text(f"{folder}/secret/spire/output"),
        "RESOURCE NAME",
        "TYPE",
        "STATUS",
        "VALID CERT",
        "SERIAL NUMBER",
        "NOT AFTER",
        "NOT BEFORE",
        "TRUST DOMAIN",
    )
    assert [(each["name"], each["type"], each["serial"], each["expiry"], each["trust_domain"]) for each in secrets] == [
        (each["RESOURCE NAME"], each["TYPE"], each["SERIAL NUMBER"], each["NOT AFTER"], each["TRUST DOMAIN"])
        for each in printed
    ]
    for each in await rows(tools, "mixed", place, "listener"):
        assert each["destination"]
        assert each["match"]


async def test_endpoints_loggers_and_statistics(tools: ToolCaller, place: str) -> None:
    endpoints = await rows(tools, "whole", place, "endpoint")
    assert endpoints == [
        {
            "address": "10.1.0.1:9080",
            "status": "UNHEALTHY",
            "outlier": "FAILED",
            "cluster": "outbound|9080|v1|reviews.shop.svc.cluster.local",
        },
        {
            "address": "10.1.0.2:9080",
            "status": "HEALTHY",
            "outlier": "OK",
            "cluster": "outbound|9080|v1|reviews.shop.svc.cluster.local",
        },
        {
            "address": "envoy://connect_originate/10.1.0.3:80",
            "status": "DRAINING",
            "outlier": "OK",
            "cluster": "inbound-vip|80|http|web.shop.svc.cluster.local",
        },
        {
            "address": "unix://./var/run/secrets/workload-spiffe-uds/socket",
            "status": "UNKNOWN",
            "outlier": "OK",
            "cluster": "sds-grpc",
        },
    ]
    assert len(await rows(tools, "whole", place, "endpoint", port=9080)) == 2
    assert len(await rows(tools, "whole", place, "endpoint", fqdn="web.shop")) == 1
    loggers = await rows(tools, "whole", place, "log")
    assert len(loggers) == recordings.text(LOGGING).count(": ")
    assert loggers[0] == {"logger": "admin", "level": "warning"}
    assert [each["logger"] for each in await rows(tools, "whole", place, "log", name="http")] == ["http", "http2"]
    assert await rows(tools, "whole", place, "stats", name="server") == [
        {"name": "server.uptime", "value": 7},
        {"name": "server.live", "value": 1},
    ]


async def test_the_overview_counts_everything(tools: ToolCaller, place: str) -> None:
    overview = {each["type"]: each["count"] for each in await rows(tools, "whole", place, "all")}
    dump = {each["@type"].rpartition(".")[2]: each for each in json.loads(recordings.whole())["configs"]}
    clusters, listeners = dump["ClustersConfigDump"], dump["ListenersConfigDump"]
    assert overview == {
        "bootstrap": 1,
        "cluster": len(clusters["static_clusters"]) + len(clusters["dynamic_active_clusters"]),
        "listener": len(listeners["static_listeners"]) + len(listeners["dynamic_listeners"]),
        "route": 1,
        "secret": 2,
        "ecds": 0,
        "endpoint": 4,
    }
    narrowed = {each["type"]: each["count"] for each in await rows(tools, "whole", place, "all", fqdn="httpbin")}
    assert narrowed["cluster"] == 1


async def test_objects_as_envoy_has_them(tools: ToolCaller, place: str) -> None:
    (cluster,) = await rows(tools, "whole", place, "cluster", fqdn="httpbin", output="json")
    assert cluster["name"] == "inbound-vip|8000|http|httpbin.default.svc.cluster.local"
    assert cluster["@type"].endswith("Cluster")
    assert "load_assignment" in cluster or "eds_cluster_config" in cluster
    listeners = await rows(tools, "whole", place, "listener", name="main_internal", output="json")
    assert len(listeners) == 1  # Its four filter chains are rows of the summary.
    secrets = await tools.ok(
        "istio_proxy_config", pod_name="whole", namespace=place, config_type="secret", output="json"
    )
    assert "BEGIN PRIVATE KEY" not in json.dumps(secrets)
    text = await tools.text(
        "istio_proxy_config", pod_name="whole", namespace=place, config_type="secret", output="json"
    )
    assert json.loads(unframed(text))["items"] == secrets["items"]
    first = await tools.ok("istio_proxy_config", pod_name="mixed", namespace=place, config_type="listener", limit=1)
    assert (first["returned"], first["truncated"]) == (1, True)
    rest = await tools.ok(
        "istio_proxy_config",
        pod_name="mixed",
        namespace=place,
        config_type="listener",
        limit=500,
        cursor=first["cursor"],
    )
    every = await rows(tools, "mixed", place, "listener")
    assert [*first["items"], *rest["items"]] == every
    nothing = await tools.ok(
        "istio_proxy_config", pod_name="whole", namespace=place, config_type="cluster", name="no-such-thing"
    )
    assert nothing["items"] == []
    assert "None of 3 match" in nothing["hint"]
    empty = await tools.ok("istio_proxy_config", pod_name="whole", namespace=place, config_type="ecds")
    assert empty["hint"] == "The proxy has no ecds."


async def test_ways_to_name_a_pod(tools: ToolCaller, api: KubeApi, place: str, proxy_image: str) -> None:
    for pod_name in (f"whole.{place}", f"pod/whole.{place}"):
        told = await tools.ok("istio_proxy_config", pod_name=pod_name, config_type="bootstrap")
        assert (told["pod"], told["namespace"]) == ("whole", place)
    template = proxy_pod("store", proxy_image)
    template = {"metadata": {"labels": {"app": "whole"}}, "spec": template["spec"]}
    body = {"replicas": 0, "selector": {"matchLabels": {"app": "whole"}}, "template": template}
    await make(api, f"/apis/apps/v1/namespaces/{place}/deployments", {"metadata": {"name": "web"}, "spec": body})
    for pod_name in ("deployment/web", "deploy/web"):
        told = await tools.ok("istio_proxy_config", pod_name=pod_name, namespace=place, config_type="bootstrap")
        assert told["pod"] == "whole"
    absent = await tools.fails("istio_proxy_config", pod_name="deployment/wb", namespace=place)
    assert (absent["code"], absent["hint"]) == ("not_found", "did you mean web?")
    near = await tools.fails("istio_proxy_config", pod_name=f"whol.{place}")
    assert (near["code"], near["hint"]) == ("not_found", "did you mean whole?")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"pod_name": "job/x"}, "the part before the slash must be pod or one of deployment"),
        ({"pod_name": "--all"}, "starts with '-'"),
        ({"pod_name": "a b"}, "character"),
        ({"config_type": "clusters"}, "did you mean cluster"),
        ({"config_type": "secret", "port": 80}, "port: does not apply to config_type=secret"),
        ({"config_type": "log", "fqdn": "a"}, "fqdn: does not apply to config_type=log"),
        ({"output": "json"}, "output=json"),
        ({"port": 0}, "port"),
    ],
)
async def test_arguments_that_cannot_be_meant(tools: ToolCaller, arguments: dict[str, Any], says: str) -> None:
    refused = await tools.fails("istio_proxy_config", **{"pod_name": "web", **arguments})
    assert refused["code"] == "bad_argument"
    assert says in refused["message"]


async def test_pods_without_an_envoy(
    tools: ToolCaller, api: KubeApi, cluster: Cluster, namespace: str, place: str
) -> None:
    await running(api, namespace, pod("plain", cluster.image, "sleep", "3600"))
    plain = await tools.fails("istio_proxy_config", pod_name="plain", namespace=namespace)
    assert plain["code"] == "bad_argument"
    assert "no container istio-proxy" in plain["message"]
    assert "istio-injection=enabled" in plain["hint"]
    body = {"metadata": {"labels": {"istio.io/dataplane-mode": "ambient"}}}
    await api.send("PATCH", f"/api/v1/namespaces/{namespace}", (), body, "application/merge-patch+json")
    ambient = await tools.fails("istio_proxy_config", pod_name="plain", namespace=namespace)
    assert f"istio_ztunnel_config pod_name=plain.{namespace}" in ambient["hint"]
    deaf = pod("deaf", cluster.image, "sleep", "3600")
    deaf["spec"]["containers"][0]["name"] = "istio-proxy"
    await running(api, namespace, deaf)
    silent = await tools.fails("istio_proxy_config", pod_name="deaf", namespace=namespace)
    assert silent["code"] == "unavailable"
    assert "nothing listens on port 15000 of pod deaf" in silent["message"]
    later = pod("later", "none", schedulerName="none")
    later["spec"]["containers"][0]["name"] = "istio-proxy"
    await make(api, f"/api/v1/namespaces/{namespace}/pods", later)
    pending = await tools.fails("istio_proxy_config", pod_name="later", namespace=namespace)
    assert pending["code"] == "conflict"
    assert "Pending" in pending["message"]
    for config_type in ("cluster", "endpoint", "stats"):
        broken = await tools.fails("istio_proxy_config", pod_name="nonsense", namespace=place, config_type=config_type)
        assert broken["code"] == "unavailable", config_type
        assert "pod nonsense" in broken["message"]
    absent = await tools.fails("istio_proxy_config", pod_name="nonsense", namespace=place, config_type="log")
    assert "HTTP 404" in absent["message"]
