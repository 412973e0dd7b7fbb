"""V11: whoever scrapes finds the metrics of what the chart makes, and a collector gets the traces."""

import json
from typing import Any

import pytest

from kmcp_controller.render import render
from kmcp_controller.spec import Platform, parse
from tests.chart.rendering import Chart, Object, of_kind

MONITORING = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]


def pods_of(objects: list[Object]) -> dict[str, Object]:
    """The pod template of each workload: of the controller, and those that it makes of the MCPServers."""
    templates = {name: found["spec"]["template"] for name, found in of_kind(objects, "Deployment").items()}
    platform = Platform(suite_images=("localhost/kmcp/kmcp",))
    for name, found in of_kind(objects, "MCPServer").items():
        made = of_kind(render(parse(found, platform), platform), "Deployment")
        templates[name] = made[name]["spec"]["template"]
    return templates


def chosen(selector: Object, templates: dict[str, Object]) -> set[str]:
    """Names of the workloads whose pods have these labels."""
    return {name for name, pod in templates.items() if selector.items() <= pod["metadata"]["labels"].items()}


def ports(template: Object) -> set[str]:
    return {port["name"] for each in template["spec"]["containers"] for port in each.get("ports", ())}


def test_a_pod_monitor_scrapes_every_pod_of_the_suite_and_the_controller(chart: Chart) -> None:
    values = {"metrics": {"podMonitor": {"enabled": True}}, "servers": {"clock": {"enabled": True}}}
    objects = chart.rendered(values)
    templates = pods_of(objects)
    scraped: set[str] = set()
    for monitor in of_kind(objects, "PodMonitor").values():
        found = chosen(monitor["spec"]["selector"]["matchLabels"], templates)
        (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
        assert all(endpoint["port"] in ports(templates[name]) for name in found), monitor
        assert not scraped & found, "none twice"
        scraped |= found
    assert scraped == set(templates) == {"kmcp-controller", "kmcp-kubernetes", "kmcp-clock"}


@pytest.mark.parametrize("composed", [False, True])
def test_services_lead_to_the_metrics_and_a_service_monitor_scrapes_each_once(chart: Chart, composed: bool) -> None:
    values = {"metrics": {"serviceMonitor": {"enabled": True}}, "composed": {"enabled": composed}}
    objects = chart.rendered(values)
    templates, services = pods_of(objects), of_kind(objects, "Service")
    reached: list[str] = []
    for monitor in of_kind(objects, "ServiceMonitor").values():
        labels, (endpoint,) = monitor["spec"]["selector"]["matchLabels"], monitor["spec"]["endpoints"]
        for service in services.values():
            if not labels.items() <= service["metadata"]["labels"].items():
                continue
            (port,) = [each for each in service["spec"]["ports"] if each["name"] == endpoint["port"]]
            (workload,) = chosen(service["spec"]["selector"], templates)
            assert port["targetPort"] in (8443, *ports(templates[workload]))
            reached.append(workload)
    assert sorted(reached) == sorted(templates)


def test_the_controllers_metrics_keep_the_namespace_that_they_are_about(chart: Chart) -> None:
    for kind in ("podMonitor", "serviceMonitor"):
        objects = chart.rendered({"metrics": {kind: {"enabled": True}}})
        monitor = of_kind(objects, kind[0].upper() + kind[1:])["kmcp-controller"]
        (endpoint,) = monitor["spec"].get("endpoints") or monitor["spec"]["podMetricsEndpoints"]
        assert endpoint["honorLabels"] is True


def test_whoever_scrapes_reaches_the_metrics_and_no_tool(chart: Chart) -> None:
    objects = chart.rendered({"metrics": {"scrapeFrom": MONITORING}})
    policy = of_kind(objects, "NetworkPolicy")["kmcp-metrics"]["spec"]
    (rule,) = policy["ingress"]
    assert rule["from"] == MONITORING
    assert rule["ports"] == [{"port": "management", "protocol": "TCP"}]
    assert chosen(policy["podSelector"]["matchLabels"], pods_of(objects)) == {"kmcp-kubernetes"}
    off = {"metrics": {"scrapeFrom": MONITORING}, "networkPolicy": {"enabled": False}}
    assert of_kind(chart.rendered(off), "NetworkPolicy") == {}


def test_dashboards_are_config_maps_that_a_sidecar_finds(chart: Chart) -> None:
    objects = chart.rendered({"metrics": {"dashboards": {"enabled": True, "label": "boards", "labelValue": "yes"}}})
    maps = {name: found for name, found in of_kind(objects, "ConfigMap").items() if "-dashboard-" in name}
    assert set(maps) == {"kmcp-dashboard-server", "kmcp-dashboard-suite"}
    for found in maps.values():
        assert found["metadata"]["labels"]["boards"] == "yes"
        ((file, text),) = found["data"].items()
        assert file == f"{json.loads(text)['uid']}.json"


def test_V9_every_server_of_the_suite_gets_the_collectors_address(chart: Chart) -> None:
    values: dict[str, Any] = {
        "traces": {"endpoint": "http://collector:4318", "env": {"OTEL_TRACES_SAMPLER_ARG": 0.1}},
        "composed": {"enabled": True},
    }
    for found in of_kind(chart.rendered(values), "MCPServer").values():
        env = found["spec"]["deployment"]["env"]
        assert env["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://collector:4318"
        assert env["OTEL_TRACES_SAMPLER_ARG"] == "0.1"
    for found in of_kind(chart.rendered({}), "MCPServer").values():
        assert not [name for name in found["spec"]["deployment"]["env"] if name.startswith("OTEL_")]


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        (
            {"metrics": {"podMonitor": {"enabled": True}, "serviceMonitor": {"enabled": True}}},
            "metrics.serviceMonitor.enabled: metrics.podMonitor.enabled scrapes the same pods; keep one",
        ),
        (
            {"metrics": {"services": False, "serviceMonitor": {"enabled": True}}},
            "metrics.services: required by metrics.serviceMonitor.enabled",
        ),
        ({"metrics": {"podMonitor": {"interval": "often"}}}, "/metrics/podMonitor/interval"),
        ({"traces": {"endpoint": "collector:4317"}}, "/traces/endpoint"),
        ({"traces": {"env": {"PATH": "x"}}}, "invalid propertyName 'PATH'"),
    ],
)
def test_what_cannot_work_is_refused(chart: Chart, values: Object, complaint: str) -> None:
    assert complaint in chart.refused(values)
