"""The pages as a browser without script sees them."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from kmcp_controller.catalog.live_document import LiveDocument
from kmcp_controller.catalog.live_server import LiveServer
from kmcp_controller.catalog.page.finding import Index, Query
from kmcp_controller.catalog.site import app
from kmcp_runtime.catalog import CLIENTS, Connection
from tests.controller.listings import DESTROY, listing, ready, server, tool
from tests.serving import served
from tests.slowness import scaled

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7 * 7 }}\u202e javascript:alert(1)"
ARGUMENTS = {
    "type": "object",
    "properties": {
        "namespace": {"type": "string", "description": "where it is", "default": "shop"},
        "limits": {
            "type": "array",
            "items": {"type": "object", "properties": {"cpu": {"type": "integer", "maximum": 8}}},
        },
        "mode": {"enum": ["fast", "slow"]},
    },
    "required": ["namespace", "mode"],
}


@asynccontextmanager
async def site(*servers: LiveServer, local: bool = False) -> AsyncIterator[tuple[LiveDocument, httpx2.AsyncClient]]:
    live = LiveDocument()
    for each in servers:
        live.update(each)
    commands = (lambda: (Connection("web", command=("/bin/web",)),)) if local else None
    async with served(app(live, {}, commands=commands), lifespan="off") as base:
        async with httpx2.AsyncClient(base_url=base, trust_env=False, timeout=scaled(10)) as http:
            yield live, http


class Parsed(HTMLParser):
    """The elements and links of a page, for what a browser would make of it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def links(self) -> list[str]:
        return [str(attrs["href"]) for tag, attrs in self.elements if tag == "a"]


async def read(http: httpx2.AsyncClient, path: str, **query: str) -> Parsed:
    answer = await http.get(path, params=query or None)
    assert answer.status_code == 200, answer.text
    return Parsed(answer.text)


async def test_what_is_not_well_comes_first_with_its_reason_and_the_next_step() -> None:
    down = server("down", conditions=ready("False", "PodsNotReady"))
    conditions = [ready()[0], {**ready()[1], "status": "False", "reason": "BreakingDrift", "message": "removed 1 (x)"}]
    async with site(server("well"), down, server("drifted", conditions=conditions)) as (live, http):
        page = (await read(http, "/")).text
        assert page.index("PodsNotReady") < page.index("removed 1 (x)") < page.index("well")
        assert "kubectl logs -n tools deployment/down" in page
        assert "since 2026-01-01T00:00:00Z" in page
        assert "3 servers" in page
        shown = (await read(http, "/servers/tools/down")).text
        assert "kubectl logs -n tools deployment/down" in shown
        for name in ("down", "drifted"):
            live.update(server(name))
        assert "All of them are well." in (await read(http, "/")).text


async def test_a_search_finds_names_descriptions_and_arguments_and_counts_what_it_found() -> None:
    apply = tool("apply_it", inputSchema=ARGUMENTS, annotations=DESTROY, description="Writes")
    async with site(server("one", apply), server("two", tool("shop")), server("down", conditions=ready("False"))) as (
        _,
        http,
    ):

        async def found(**query: str) -> tuple[str, list[str]]:
            page = await read(http, "/", **query)
            heading = page.text.split("Search\n")[-1]
            return heading, [link.rsplit("=", 1)[1] for link in page.links() if "/tool?" in link]

        assert (await found(q="WHERE limits"))[1] == ["apply_it"]
        heading, tools = await found(q="query evaluate")
        assert tools == ["query", "shop"], "the name first"
        assert "2 tools of 2 servers" in heading
        assert (await found(effect="destroy"))[1] == ["apply_it"]
        assert (await found(q="shop", server="TOOLS/t"))[1] == ["shop"]
        assert "Nothing fits" in (await found(q="nothing at all"))[0]
        assert "1 server\n" in (await found(state="not-ready"))[0]
        assert (await found(effect="none such", state="none such"))[1] == [], "all servers, no tools"
        page = await http.get("/", params={"q": "a", "server": "b", "effect": "write", "state": "ready"})
        for field in ('value="a"', 'value="b"', 'value="write" selected', 'value="ready" selected'):
            assert field in page.text, "the address is the search"


async def test_a_tool_has_a_page_with_arguments_example_result_effect_and_rights() -> None:
    needs = [{"group": "", "resources": ["pods"], "verbs": ["get"]}]
    meta = {"kmcp-suite/tool": {"effect": "write", "actions": {"scale": "write"}, "needs": needs}}
    output = {"type": "object", "properties": {"changed": {"type": "boolean", "description": "whether it did"}}}
    one = server("one", tool("t", inputSchema=ARGUMENTS, outputSchema=output, _meta=meta))
    async with site(one) as (_, http):
        shown = (await read(http, "/servers/tools/one/tool?name=t")).text
        for each in ("namespace", "limits[].cpu", "array of object", "≤ 8", "one of fast, slow", "default shop"):
            assert each in shown
        assert '"arguments": {\n    "namespace": "shop",\n    "mode": "fast"\n  }' in shown
        assert "whether it did" in shown
        assert "as its author declared" in shown
        assert '"pods"' in shown


async def test_a_server_has_a_page_with_the_configuration_of_each_client() -> None:
    async with site(server("web"), local=True) as (_, http):
        page = await read(http, "/servers/tools/web")
        for client in CLIENTS.values():
            assert client.title in page.text
        assert '"command": "/bin/web"' in page.text
        assert "http://web.tools.svc:3000/mcp" in page.text
        assert any(link.startswith("vscode:mcp/install?") for link in page.links())
        assert any(link.startswith("cursor://anysphere.cursor-deeplink/mcp/install?") for link in page.links())
        assert "start `kmcp-suite up` again" not in page.text
        for path in (
            "/servers/tools/none",
            "/servers/x/web",
            "/servers/tools/web/tool?name=none",
            "/servers/tools/web/tool",
            "/static/none",
        ):
            assert (await http.get(path)).status_code == 404
        many = server("many", *(tool(f"t{n:03d}") for n in range(250)))
    async with site(many) as (_, http):
        assert len(re.findall("tool\\?name=t", (await http.get("/servers/tools/many")).text)) == 100
        assert "t249" in (await read(http, "/servers/tools/many", start="200")).text
        for odd in ("x", "-1", "999999999999", "²"):
            assert "250 tools" in (await read(http, "/servers/tools/many", start=odd)).text


async def test_hostile_texts_stay_texts_on_every_page() -> None:
    schema = {
        "type": "object",
        "properties": {EVIL: {"description": EVIL, "enum": [EVIL], "default": EVIL}},
        "required": [EVIL],
    }
    meta = {"kmcp-suite/tool": {"effect": "write", "actions": {EVIL: EVIL}, "needs": [EVIL]}}
    bad = tool(EVIL, title=EVIL, description=EVIL, inputSchema=schema, outputSchema=schema, _meta=meta)
    condition = {**ready("False", EVIL)[0], "message": EVIL}
    listed = listing(bad)
    listed.server_info.update(name=EVIL, version=EVIL)
    evil = server("evil", bad, conditions=[condition], problems=[EVIL], image=EVIL, url="javascript:alert(1)")
    for page in await _pages_of(evil):
        scripts = [attrs for tag, attrs in page.elements if tag == "script"]
        assert scripts
        assert all(set(each) == {"src", "defer"} and (each["src"] or "").startswith("/static/") for each in scripts)
        assert not [
            tag
            for tag, _ in page.elements
            if tag in ("img", "iframe", "object", "style", "base", "meta") and tag != "meta"
        ]
        assert not [name for _, attrs in page.elements for name in attrs if name.startswith("on") or name == "style"]
        assert not [link for link in page.links() if link.startswith(("javascript:", "data:"))]
        assert "{{ 7 * 7 }}" in page.text
        assert "49" not in page.text.split("{{ 7")[0]


async def _pages_of(evil: LiveServer) -> list[Parsed]:
    async with site(evil) as (live, http):
        (described,) = live.document()["servers"]
        name = quote(described["tools"][0]["name"], safe="")
        paths = ["/", "/?q=alert", "/servers/tools/evil", f"/servers/tools/evil/tool?name={name}"]
        pages = []
        for path in paths:
            answer = await http.get(path)
            assert answer.status_code == 200, path
            policy = answer.headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self'; ")
            assert "unsafe" not in policy
            pages.append(Parsed(answer.text))
        return pages


@pytest.mark.parametrize(
    "name", ["", "werkzeug_über", "工具", "a/b", "a%2Fb", "?x#y", "..", ".", " ", "a\nb", "🙂", "x" * 200]
)
async def test_a_tool_of_any_name_has_its_page(name: str) -> None:
    async with site(server("one", tool(name))) as (_, http):
        (link,) = [each for each in (await read(http, "/servers/tools/one")).links() if "/tool?" in each]
        assert name in (await read(http, link)).text


async def test_what_people_cannot_see_is_counted() -> None:
    async with site(server("one", tool("t", description="Reads\u200b\U000e0041\U000e0042."), tool("u"))) as (_, http):
        assert "3 characters of its texts cannot be seen" in (await read(http, "/servers/tools/one/tool?name=t")).text
        assert "cannot be seen" not in (await read(http, "/servers/tools/one/tool?name=u")).text


@pytest.mark.parametrize(
    "schema", [None, 3, [], {"properties": 3}, {"properties": {"a": 3}, "required": [1]}, {"required": "a"}]
)
async def test_a_malformed_schema_is_shown_as_far_as_it_goes(schema: Any) -> None:
    async with site(server("one", tool("t", inputSchema=schema, outputSchema=schema))) as (_, http):
        assert "Arguments" in (await read(http, "/servers/tools/one/tool?name=t")).text
        assert "t" in (await read(http, "/", q="t")).text


async def test_two_thousand_tools_are_searched_in_a_moment() -> None:
    """Within 50 ms of a quiet machine, from the request to the page."""
    servers = [server(f"s{n}", *(tool(f"tool_{n}_{m}") for m in range(100))) for n in range(20)]
    async with site(*servers) as (live, http):
        await http.get("/")
        index, spent = Index(live.document()["servers"]), []
        for words in ("tool_1", "promql", "evaluate query", "zzz"):
            begun = time.perf_counter()
            index.find(Query(words))
            spent.append(time.perf_counter() - begun)
            assert (await http.get("/", params={"q": words, "part": "main"})).text.count("<tr") <= 101
        assert min(spent) < scaled(0.05), spent
        assert len((await http.get("/")).content) < 100_000


async def test_an_open_page_is_told_of_changes() -> None:
    async with site(server("one")) as (live, http):
        async with asyncio.timeout(scaled(20)), http.stream("GET", "/events") as events:
            assert events.headers["content-type"].startswith("text/event-stream")
            lines = events.aiter_lines()
            assert await anext(lines) == "retry: 1000"
            for _ in range(2):
                live.update(server("one", conditions=ready("False" if _ else "Unknown", f"Because{_}")))
                async for line in lines:
                    if line.startswith("data"):
                        break
                assert line == "data: changed"


async def test_a_server_that_stops_ends_its_streams(caplog: pytest.LogCaptureFixture) -> None:
    """At once and without an error: an open page must not hold it up."""
    live = LiveDocument()
    async with httpx2.AsyncClient(trust_env=False, timeout=scaled(10)) as http:
        async with served(app(live, {}), lifespan="off") as base:
            stream = http.stream("GET", f"{base}/events")
            events = await stream.__aenter__()
            lines = events.aiter_lines()
            assert await anext(lines) == "retry: 1000"
        assert "data: changed" not in [line async for line in lines], "it has an end"
        await stream.__aexit__(None, None, None)
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


async def test_pages_that_are_closed_make_room_and_too_many_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kmcp_controller.catalog.news._MOST", 1)
    async with site(server("one")) as (live, http):
        async with http.stream("GET", "/events") as first:
            await anext(first.aiter_lines())
            assert (await http.get("/events")).status_code == 503
        live.update(server("one", conditions=ready("False")))
        async with asyncio.timeout(scaled(20)):
            while True:
                async with http.stream("GET", "/events") as again:
                    if again.status_code == 200:
                        break
                await asyncio.sleep(0.05)


async def test_a_file_is_kept_until_it_changes() -> None:
    async with site(server("one")) as (_, http):
        page = (await http.get("/")).text
        for path in re.findall(r'(?:src|href)="(/static/[^"]+)"', page):
            answer = await http.get(path)
            assert answer.status_code == 200
            assert "immutable" in answer.headers["cache-control"]
            assert "?" in path
        assert (await http.get("/")).headers["cache-control"] == "no-store"
