"""The page lists the attributes of spans that real servers send, no more and no fewer."""

import re
from pathlib import Path

from fastmcp import Client

from tests.mcp import ToolCaller
from tests.tracing.collector import Collector, Received
from tests.tracing.processes import SOON, Forwarder, serving
from tests.waiting import until

PAGE = Path("docs/guides/observability.md")


def listed() -> set[str]:
    _, _, table = PAGE.read_text().partition("### Attributes")
    return set(re.findall(r"^\| `([a-z_.]+)` \|", table.partition("\n## ")[0], re.MULTILINE))


async def spans(collector: Collector, count: int) -> list[Received]:
    async def look() -> list[Received]:
        return collector.spans

    return await until(look, lambda found: len(found) >= count, what=f"{count} spans")


async def test_attributes_of_the_page_are_those_that_are_sent(
    collector: Collector, asked: Forwarder, tmp_path: Path
) -> None:
    program = tmp_path / "helm"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    chart = tmp_path / "charts" / "small"
    chart.mkdir(parents=True)
    (chart / "Chart.yaml").write_text("{apiVersion: v2, name: small, version: 1.0.0}")
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, **SOON}
    of_prometheus = {**environment, "PROMETHEUS_URL": asked.url, "PROMETHEUS_ADMIN": "true"}
    async with serving("prometheus", of_prometheus) as server, Client(server.url) as client:
        caller = ToolCaller(client)
        await caller.ok("prometheus_query_tool", query="vector(1)")
        await caller.fails("prometheus_query_tool", query="sum(")
        await caller.fails("prometheus_delete_series_tool", match=["up"], start="now-1h", end="now")
    of_helm = {
        **environment,
        "KMCP_HELM": str(program),
        "KMCP_CHART_DIRECTORY": str(chart.parent),
        "KUBECONFIG": "/no/cluster",
    }
    async with serving("helm", of_helm) as server, Client(server.url) as client:
        await ToolCaller(client).fails("helm_show", chart="small")
        await collector.span("helm")
    sent = {name for span in await spans(collector, 5) for name in span.attributes}
    assert sent == listed()
    names = {span.name for span in collector.spans}
    assert {"tools/call prometheus_query_tool", "POST /api/v1/query", "helm"} <= names
