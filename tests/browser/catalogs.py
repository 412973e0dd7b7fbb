"""Catalogs to look at: the suite's own servers with one that is not well, and thousands of tools."""

from collections.abc import Iterator
from pathlib import Path

from kmcp_controller.catalog.live_server import LiveServer
from kmcp_runtime.catalog import load
from tests.controller.listings import listing, ready, server, tool

SHIPPED = load(Path("catalog.yaml").read_text())
FAILING = "set PROMETHEUS_URL to the address of the Prometheus API"


def shipped() -> Iterator[LiveServer]:
    """Each server of the catalog as it is listed; Prometheus lacks its address."""
    for name, entry in SHIPPED.servers.items():
        tools = [
            tool(
                each.name,
                title=each.title,
                description=each.description,
                inputSchema=each.input_schema,
                outputSchema=each.output_schema,
                annotations=each.annotations,
            )
            for each in entry.tools
        ]
        found = server(name, entry_name=name, entry=entry, listing=listing(*tools), pin="warn")
        found.conditions[0]["message"] = "1 available"
        if name == "kmcp-prometheus":
            found.conditions[0].update(status="False", reason="PodsNotReady", message=FAILING)
        yield found


def many(servers: int = 20, tools: int = 100) -> Iterator[LiveServer]:
    for number in range(servers):
        yield server(f"server-{number}", *(tool(f"tool_{number}_{each}") for each in range(tools)), conditions=ready())
