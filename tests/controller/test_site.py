"""The catalog over HTTP: documents, the MCP Registry API, exports and the page."""

import gzip
import json
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from kmcp_controller.catalog.live_document import LiveDocument
from kmcp_controller.catalog.live_server import LiveServer
from kmcp_controller.catalog.site import app
from kmcp_runtime.catalog import EnvEntry, ServerEntry, Transport
from tests.controller.listings import listing, ready, server, tool
from tests.serving import served

ENTRY = ServerEntry(
    title="Prometheus",
    description="Query metrics",
    registry_name="io.example.kmcp/kmcp-prometheus",
    transport=Transport(port=8084),
    env=(EnvEntry(name="PROMETHEUS_TOKEN", description="Token", secret=True),),
    tools=(),
)
OFFICIAL = "io.modelcontextprotocol.registry/official"
PUBLISHER = "io.modelcontextprotocol.registry/publisher-provided"


class Clock:
    day = 0

    def __call__(self) -> str:
        self.day += 1
        return f"{date(2026, 1, 1) + timedelta(days=self.day)}T00:00:00Z"


@asynccontextmanager
async def site(*servers: LiveServer) -> AsyncIterator[tuple[LiveDocument, httpx2.AsyncClient]]:
    live = LiveDocument(Clock())
    for each in servers:
        live.update(each)
    async with served(app(live, {"kmcp-prometheus": ENTRY}), lifespan="off") as base:
        async with httpx2.AsyncClient(base_url=base, trust_env=False) as http:
            yield live, http


def prometheus(**changes: Any) -> LiveServer:
    return server(entry_name="kmcp-prometheus", entry=ENTRY, **changes)


async def test_documents_have_their_hash_as_etag_and_come_packed() -> None:
    async with site(prometheus(), server("big", *(tool(f"t{n}") for n in range(50)))) as (live, http):
        document = live.document()
        whole = await http.get("/catalog.json")
        assert whole.json() == document
        assert whole.headers["content-encoding"] == "gzip"
        assert whole.headers["etag"].startswith(f'"{document["hash"]}-')
        plain = await http.get("/catalog.json", headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.json() == document
        one = await http.get("/catalog/tools/big.json")
        assert one.json() == live.get("tools", "big")
        assert one.headers["content-encoding"] == "gzip"
        for path, tag, bare in (
            ("/catalog.json", whole.headers["etag"], document["hash"]),
            ("/catalog/tools/big.json", one.headers["etag"], one.json()["hash"]),
        ):
            for known in (tag, f"W/{tag}", f'"x", {tag}', f'"{bare}"'):
                again = await http.get(path, headers={"If-None-Match": known})
                assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        live.update(prometheus(conditions=ready("False", "NotAvailable")))
        news = await http.get("/catalog.json", headers={"If-None-Match": whole.headers["etag"]})
        assert news.status_code == 200, "readiness is news"
        same = await http.get("/catalog.json", headers={"If-None-Match": f'"{document["hash"]}"'})
        assert same.status_code == 304, "who asks by hash is told of tools only"


async def test_the_registry_lists_servers_with_their_tools_and_where_they_are() -> None:
    async with site(prometheus(), server("other", listing=replace(listing(tool()), server_info={}))) as (live, http):
        found = (await http.get("/v0.1/servers")).json()
        assert found["metadata"] == {"count": 2}
        first, second = found["servers"]
        assert first["server"]["name"] == "io.example.kmcp/kmcp-prometheus"
        assert first["server"]["version"] == "1.4.0"
        assert first["server"]["remotes"] == [
            {"type": "streamable-http", "url": "http://kmcp-prometheus.tools.svc:3000/mcp"}
        ]
        tools = first["server"]["_meta"][PUBLISHER]["kmcp-suite"]["tools"]
        assert tools[0]["inputSchema"] == tool()["inputSchema"]
        assert first["_meta"][OFFICIAL]["status"] == "active"
        assert second["server"]["name"] == "local.cluster/tools.other"
        other = live.get("tools", "other") or {}
        # V13: it reports none, so the tag of its image says which it is.
        assert second["server"]["version"] == other["image"].rpartition(":")[2] == "1.4.0"
        assert "packages" not in second["server"]
        path = f"/v0.1/servers/{quote('io.example.kmcp/kmcp-prometheus', safe='')}/versions"
        assert (await http.get(path)).json() == {"servers": [first], "metadata": {"count": 1}}
        for version in ("latest", "1.4.0"):
            assert (await http.get(f"{path}/{version}")).json() == first
        for absent in (f"{path}/1.3.0", "/v0.1/servers/a%2Fb/versions", "/v0.1/servers/a%2Fb/versions/latest"):
            answer = await http.get(absent)
            assert (answer.status_code, answer.json()["title"]) == (404, "Not Found")


async def test_two_servers_of_one_entry_are_two_in_the_registry() -> None:
    async with site(prometheus(), prometheus(namespace="team", uid="u2")) as (_, http):
        names = [each["server"]["name"] for each in (await http.get("/v0.1/servers")).json()["servers"]]
        assert names == ["local.cluster/team.kmcp-prometheus", "local.cluster/tools.kmcp-prometheus"]


async def test_the_registry_is_paged_searched_and_filtered() -> None:
    async with site(*(server(f"s{n:02d}") for n in range(45)), prometheus()) as (live, http):

        async def names(**query: Any) -> list[str]:
            body = (await http.get("/v0.1/servers", params=query)).json()
            assert body["metadata"]["count"] == len(body["servers"])
            return [each["server"]["name"].rpartition("/")[2] for each in body["servers"]]

        assert len(await names()) == 30
        seen: list[str] = []
        cursor = ""
        while True:
            body = (await http.get("/v0.1/servers", params={"limit": 20, "cursor": cursor})).json()
            seen += [each["server"]["name"] for each in body["servers"]]
            cursor = body["metadata"].get("nextCursor", "")
            if not cursor:
                break
        assert seen == sorted(set(seen))
        assert len(seen) == 46
        assert await names(search="TOOLS.S1") == [f"tools.s1{n}" for n in range(10)]
        assert len(await names(version="latest", limit=100)) == 46
        assert await names(version="9.9.9") == []
        assert await names(updated_since="2026-01-29T00:00:00Z", search="s2") == ["tools.s27", "tools.s28", "tools.s29"]
        live.remove("tools", "s00")
        assert "tools.s00" not in await names()
        assert (await names(include_deleted="true"))[1] == "tools.s00"
        assert (await names(updated_since="2026-01-29T00:00:00+00:00"))[1] == "tools.s00", "who follows changes"


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("limit=0", "1 to 100"),
        ("limit=101", "1 to 100"),
        ("limit=x", "1 to 100"),
        ("include_deleted=1", "true or false"),
        ("updated_since=yesterday", "RFC 3339"),
        ("updated_since=2026-02-01T00:00:00", "RFC 3339"),
    ],
)
async def test_a_wrong_query_is_named(query: str, fault: str) -> None:
    async with site() as (_, http):
        answer = await http.get(f"/v0.1/servers?{query}")
        assert answer.status_code == 400
        assert answer.json()["detail"].startswith(query.partition("=")[0])
        assert fault in answer.json()["detail"]


async def test_the_registry_takes_nothing() -> None:
    async with site(prometheus()) as (_, http):
        for method, path in (("POST", "publish"), ("POST", "servers"), ("PUT", "servers/a%2Fb/versions/1")):
            assert (await http.request(method, f"/v0.1/{path}", json={})).status_code == 501
        assert (await http.delete("/v0.1/servers/a%2Fb/versions/1")).status_code == 501


async def test_exports_of_what_runs() -> None:
    async with site(prometheus(), server("other"), server("other", namespace="team")) as (_, http):
        code = (await http.get("/export/claude-code")).json()["mcpServers"]
        assert code["team-other"] == {"type": "http", "url": "http://other.tools.svc:3000/mcp"}
        assert set(code) == {"kmcp-prometheus", "tools-other", "team-other"}
        one = (await http.get("/export/server-json", params={"server": "tools/kmcp-prometheus"})).json()
        assert one["name"] == "io.example.kmcp/kmcp-prometheus"  # V13: as the registry API lists it
        assert one["packages"][0]["environmentVariables"][0]["isSecret"] is True
        hive = (await http.get("/export/toolhive")).json()["data"]["servers"]
        more = hive[0]["_meta"][PUBLISHER]["io.github.stacklok"]["http://other.tools.svc:3000/mcp"]
        assert more["metadata"]["kubernetes"]["namespace"] == "team"
        assert len((await http.get("/export/remotemcpserver")).json()["items"]) == 3
        assert (await http.get("/export/docker", params={"server": "tools/other"})).json()["type"] == "remote"
        assert (await http.get("/export/docker", params={"server": "tools/none"})).status_code == 404
        assert (await http.get("/export/none")).status_code == 404
        toml = await http.get("/export/codex", params={"server": "tools/other"})
        assert tomllib.loads(toml.text) == {"mcp_servers": {"other": {"url": "http://other.tools.svc:3000/mcp"}}}


async def test_hundreds_of_servers_are_one_short_page() -> None:
    async with site(*(server(f"s{n:03d}") for n in range(120))) as (live, http):
        page = (await http.get("/")).text
        assert page.count('<a href="/servers/tools/s') == 100
        assert "20 more" in page
        assert len(page) < 60_000
        answer = await http.get("/catalog.json")
        packed = gzip.compress(json.dumps(live.document()).encode())
        assert len(answer.json()["servers"]) == 120
        assert int(answer.headers["content-length"]) < 2 * len(packed)
