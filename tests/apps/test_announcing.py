"""Who is told of a view, and what is read at its address."""

import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import mcp_types
import pytest
from fastmcp import Client
from mcp.client.extension import advertise

from kmcp_argo.server import SERVER as ARGO
from kmcp_kubernetes.server import SERVER as KUBERNETES
from kmcp_prometheus.server import SERVER as PROMETHEUS
from kmcp_runtime import Effect, Result, RuntimeSettings, Server, apps, tool
from kmcp_runtime.apps import documents
from kmcp_runtime.declaration import tools_in
from kmcp_runtime.engine.assembly import assemble, compose
from kmcp_runtime.engine.configured import ConfiguredServer, Process
from tests.own_servers import OWN
from tests.patience import patient

VIEWS = {
    "prometheus_query_tool": "ui://kmcp/prometheus/traffic",
    "prometheus_query_range_tool": "ui://kmcp/prometheus/plot",
    "argo_get_rollout": "ui://kmcp/argo/rollout",
    "k8s_resource_tree": "ui://kmcp/kubernetes/tree",
}
ERAS = ["legacy", "2026-07-28"]
SHOWS = {"mimeTypes": [apps.MIME_TYPE]}


@asynccontextmanager
async def connected(
    mode: str, settings: Mapping[str, Any] | None, servers: Sequence[Server] = (PROMETHEUS, ARGO, KUBERNETES)
) -> AsyncIterator[Client[Any]]:
    """A client of servers without backends; `settings` are those of the extension, None for one that lacks it."""
    process = Process.of(patient(listing="all"), servers)
    instances = [ConfiguredServer(server, server.settings(), process) for server in servers]
    extensions = [] if settings is None else [advertise(apps.EXTENSION, dict(settings))]
    async with Client(compose("kmcp-suite", instances, None), mode=mode, extensions=extensions) as client:
        yield client


async def views_of(client: Client[Any]) -> set[str]:
    return {str(each.uri) for each in await client.list_resources() if str(each.uri).startswith("ui://")}


def as_listed(tools: Sequence[mcp_types.Tool]) -> list[dict[str, Any]]:
    return [tool.model_dump(by_alias=True, mode="json", exclude_none=True) for tool in tools]


@pytest.mark.parametrize("mode", ERAS)
async def test_a_client_that_shows_views_finds_them_with_their_tools(mode: str) -> None:
    async with connected(mode, SHOWS) as client:
        listed = {tool.name: (tool.meta or {}).get("ui") for tool in await client.list_tools()}
        assert {name: ui["resourceUri"] for name, ui in listed.items() if ui} == VIEWS
        assert await views_of(client) == set(VIEWS.values())


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_the_server_says_that_it_has_views_to_read(mode: str) -> None:
    async with connected(mode, SHOWS) as client:
        capabilities = client.server_capabilities
    assert capabilities is not None
    assert capabilities.tools is not None
    assert capabilities.resources is not None
    assert (apps.EXTENSION in (capabilities.extensions or {})) is (mode == "auto")


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize("settings", [None, {}, {"mimeTypes": []}, {"mimeTypes": ["text/html"]}, {"mimeTypes": "x"}])
async def test_for_every_other_client_nothing_grows(mode: str, settings: dict[str, Any] | None) -> None:
    async with connected(mode, SHOWS) as client:
        shown = as_listed(await client.list_tools())
    async with connected(mode, settings) as client:
        plain = as_listed(await client.list_tools())
        assert await views_of(client) == set()
        capabilities = client.server_capabilities
    assert "ui://" not in json.dumps(plain)
    assert capabilities is not None
    assert apps.EXTENSION not in (capabilities.extensions or {})
    # But for the address of its view, a tool is the same for both.
    for each in shown:
        each["_meta"].pop("ui", None)
    assert shown == plain


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize("uri", VIEWS.values())
async def test_a_view_is_one_document_that_asks_no_other_address(mode: str, uri: str) -> None:
    async with connected(mode, SHOWS) as client:
        (found,) = await client.read_resource(uri)
    assert isinstance(found, mcp_types.TextResourceContents)
    assert found.mime_type == apps.MIME_TYPE
    ui = (found.meta or {})["ui"]
    assert set(ui["csp"]) == {"connectDomains", "resourceDomains", "frameDomains", "baseUriDomains"}
    assert not any(ui["csp"].values())
    assert found.text.startswith("<!doctype html>")
    # The names of the two XML vocabularies are no addresses that are asked.
    assert re.findall(r"https?://(?!www\.w3\.org/)|<link|<img|<iframe|@import|url\(|src=", found.text) == []
    # Texts of others never become markup or code.
    assert re.findall(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|new Function", found.text) == []


@pytest.mark.parametrize("uri", VIEWS.values())
async def test_the_policy_of_a_view_allows_exactly_what_is_in_it(uri: str) -> None:
    async with connected("legacy", SHOWS) as client:
        (found,) = await client.read_resource(uri)
    assert isinstance(found, mcp_types.TextResourceContents)
    for part in ("script", "style"):
        (text,) = re.findall(rf"<{part}>(.*?)</{part}>", found.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{part}-src 'sha256-{digest}'" in found.text
    assert "default-src 'none'" in found.text


async def test_what_is_not_a_view_is_not_there() -> None:
    async with connected("legacy", SHOWS) as client:
        with pytest.raises(Exception, match="ui://kmcp/prometheus/other"):
            await client.read_resource("ui://kmcp/prometheus/other")


async def test_a_server_without_the_tool_has_no_view_of_it() -> None:
    async with Client(
        assemble(ARGO, None, RuntimeSettings(extras=False)), extensions=[advertise(apps.EXTENSION, SHOWS)]
    ) as client:
        assert await views_of(client) == set()
        assert "ui://" not in json.dumps(as_listed(await client.list_tools()))


def test_every_script_of_a_view_belongs_to_a_tool() -> None:
    for server in OWN.values():
        declared = {each.view for each in server.tools() if each.view}
        for view in declared:
            assert documents.exists(server.package, view), (server.name, view)
    assert {
        apps.address(server.name, each.view): each.name
        for server in OWN.values()
        for each in server.tools()
        if each.view
    } == {uri: name for name, uri in VIEWS.items()}


class Nothing(Result):
    """An answer."""


@tool(Effect.READ, view="absent")
async def look_nowhere() -> Nothing:
    """Look."""
    return Nothing()


def test_a_view_whose_script_is_not_there_is_named_at_start() -> None:
    import sys

    server = Server(
        name="nowhere",
        title="Nowhere",
        description="x",
        instructions="x",
        port=1,
        package="kmcp_clock",
        tools=lambda: tools_in(sys.modules[__name__]),
    )
    with pytest.raises(FileNotFoundError, match=r"look_nowhere has view='absent', and kmcp_clock/views/absent\.js"):
        assemble(server)
