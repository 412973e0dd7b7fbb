"""X17: the table of costs is what a client is listed."""

import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from fastmcp import Client

from kmcp_runtime import RuntimeSettings
from kmcp_runtime.catalog import tokens_of
from kmcp_runtime.catalog.canonical import compact
from kmcp_runtime.distributions import SERVERS
from kmcp_runtime.engine.assembly import http_app
from kmcp_runtime.engine.configured import ConfiguredServer, Process
from tests.serving import served

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "costs.md").read_text()
ADDRESSES = ["/mcp", "/mcp?read-only", "/mcp?tools=all", "/mcp?tools=all&read-only"]


@pytest.fixture
def instances(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[ConfiguredServer]:
    """The own servers, with nothing around that adds an argument to their tools."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    own = [point.load() for point in entry_points(group=SERVERS) if point.module.startswith("kmcp_")]
    process = Process.of(RuntimeSettings())
    return [ConfiguredServer(server, server.settings(), process) for server in own]


def row(name: str) -> list[int]:
    """The numbers of a row, by what its first cell begins with."""
    (line,) = (each for each in PAGE.splitlines() if re.match(rf"\| {re.escape(name)}(?![\w&?=-])", each))
    return [int(cell.replace(",", "")) for cell in line.split("|")[2:-1]]


async def test_X17_the_table_of_costs_is_what_is_listed(instances: list[ConfiguredServer]) -> None:
    for instance in instances:
        await instance.load()
    missing = sum(len(instance.names) - len(instance.tools) for instance in instances)
    async with served(http_app("suite", instances, None)) as url:
        for address in ADDRESSES:
            async with Client(url + address) as client:
                tools = await client.list_tools()
            tokens = sum(tokens_of(tool.name, tool.description or "", tool.input_schema) for tool in tools)
            answers = sum(len(compact(tool.output_schema).encode()) // 4 for tool in tools if tool.output_schema)
            listed, without, whole = row(f"`{address}`")
            # What a setting would have to ask for first is on the page, and not here.
            assert listed == len(tools) + (missing if "all" in address else 0)
            if "all" not in address:
                assert (without, whole) == (tokens, tokens + answers), address
            assert 0.97 * without <= tokens <= without
