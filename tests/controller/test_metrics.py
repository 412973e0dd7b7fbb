"""The controller's metrics: every name of the contract, and the state of servers taken from the live catalog."""

from kmcp_controller.catalog.live_document import LiveDocument
from kmcp_controller.telemetry.metrics import Metrics
from kmcp_runtime.catalog import Drift
from tests.controller.listings import ready, server, tool

NAMES = {
    "kmcp_controller_reconciles_total{",
    "kmcp_controller_reconcile_duration_seconds_bucket{",
    "kmcp_controller_queue_items ",
    "kmcp_controller_queue_wait_seconds_bucket{",
    "kmcp_controller_api_requests_total{",
    "kmcp_controller_api_request_duration_seconds_bucket{",
    "kmcp_controller_last_api_success_timestamp_seconds ",
    "kmcp_controller_applies_total{",
    "kmcp_controller_pruned_objects_total{",
    "kmcp_controller_events_total{",
    "kmcp_controller_leader ",
    'kmcp_controller_build_info{version="1.4.0"} 1.0',
    'kmcp_mcpservers{ready="true",reason="Available"} 2.0',
    'kmcp_mcpservers{ready="false",reason="NotAvailable"} 1.0',
    'kmcp_mcpserver_ready{name="a",namespace="tools"} 1.0',
    'kmcp_mcpserver_tools{name="b",namespace="tools"} 2.0',
    'kmcp_mcpserver_tools_tokens{name="b",namespace="tools"} ',
    "kmcp_discoveries_total{",
    "kmcp_discovery_duration_seconds_bucket{",
    'kmcp_mcpserver_last_discovery_timestamp_seconds{name="a",namespace="tools"} 1.7e+09',
    'kmcp_catalog_drift_tools{class="added",name="c",namespace="tools"} 2.0',
    'kmcp_catalog_drift_tools{class="breaking",name="c",namespace="tools"} 0.0',
    "kmcp_catalog_publishes_total{",
    "kmcp_catalog_size_bytes{",
}


def filled() -> tuple[LiveDocument, Metrics]:
    live = LiveDocument()
    metrics = Metrics("1.4.0")
    metrics.show(live)
    live.update(server("a", asked_at=1.7e9))
    live.update(server("b", tool("secret_tool"), tool("other")))
    live.update(server("c", conditions=ready("False", "NotAvailable"), drift=Drift(added=("x", "y"))))
    metrics.reconciles.labels("ok").inc()
    metrics.api_requests.labels("GET", "pods", "200").inc()
    metrics.api_duration.labels("GET", "pods").observe(0.1)
    metrics.applies.labels("Service", "created").inc()
    metrics.pruned.labels("ConfigMap").inc()
    metrics.events.labels("Normal", "Ready").inc()
    metrics.discoveries.labels("Discovered").inc()
    metrics.catalog_publishes.labels("configmap", "ok").inc()
    metrics.catalog_size.labels("http").set(3)
    return live, metrics


def test_every_metric_is_there_and_no_label_holds_a_tool_or_an_address() -> None:
    _, metrics = filled()
    text = metrics.exposition().decode()
    assert [name for name in NAMES if f"\n{name}" not in text] == []
    for summary_of in ("secret_tool", "http://", "<b>told</b>"):
        assert summary_of not in text


def test_a_server_that_is_gone_is_in_no_metric() -> None:
    live, metrics = filled()
    live.remove("tools", "a")
    assert 'name="a"' not in metrics.exposition().decode()
