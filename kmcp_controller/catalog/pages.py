"""The pages over HTTP: what an address means, and what of it is shown."""

from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from kmcp_runtime.catalog import Connection
from kmcp_runtime.worker import run_in_thread

from .console import Console
from .live_document import LiveDocument
from .live_server import place
from .news import News
from .page import views
from .page.finding import Described, Index, Query

Connect = Callable[[Sequence[Described], str], tuple[Connection, ...]]
_MOST_AT_ONCE = 50
"""Servers in one configuration: nobody connects a client to more, and the text of eight clients grows with them."""
_FOR_GOOD = {"Cache-Control": "public, max-age=31536000, immutable"}  # its address changes with it


class Pages:
    """`visible` gives what the sender of a request may see; `connect` the connections to servers by a transport.

    `local`: the servers run on this machine, so that a client can start them as well. `console`: calls their tools;
    None where that is off.
    """

    def __init__(
        self,
        live: LiveDocument,
        visible: Callable[[Request], Awaitable[Index]],
        connect: Connect,
        console: Console | None,
        *,
        local: bool,
    ) -> None:
        self._visible, self._connect, self._console, self._local = visible, connect, console, local
        self.news = News(live)

    def routes(self) -> list[Route]:
        server = "/servers/{namespace}/{name}"
        return [
            Route("/", self._show_overview),
            Route(server, self._show_server),
            Route(server + "/tool", self._show_tool),
            *([Route(server + "/call", self._call_tool, methods=["POST"])] if self._console else []),
            Route("/events", self._show_news),
            Route("/static/{name}", _show_static),
        ]

    async def _show_overview(self, request: Request) -> Response:
        index, query = await self._visible(request), Query.of(request.query_params)

        def render() -> str:
            found = index.find(query)
            few = len(found.servers) <= _MOST_AT_ONCE
            setups = self._setups(found.servers) if few and not query.wants_tools() else []
            return views.overview(index.servers, found, query, setups, local=self._local, part=_is_part(request))

        return await _html(render)

    async def _show_server(self, request: Request) -> Response:
        server = await self._find_server(request)
        if server is None:
            return _missing("no such server")
        text = request.query_params.get("start", "")
        start = int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0

        def render() -> str:
            setups = self._setups([server])
            return views.server_page(server, setups, local=self._local, start=start, part=_is_part(request))

        return await _html(render)

    async def _show_tool(self, request: Request) -> Response:
        server = await self._find_server(request)
        name = request.query_params.get("name", "")
        tool = next((each for each in (server or {"tools": ()})["tools"] if each["name"] == name), None)
        if server is None or tool is None:
            return _missing("no such tool")
        on = self._console is not None
        return await _html(lambda: views.tool_page(server, tool, console=on, part=_is_part(request)))

    async def _call_tool(self, request: Request) -> Response:
        assert self._console is not None
        return await self._console.answer(request, await self._find_server(request))

    async def _show_news(self, request: Request) -> Response:
        await self._visible(request)  # whoever may see nothing is turned away here, too
        return self.news.stream()

    async def _find_server(self, request: Request) -> Described | None:
        wanted = request.path_params["namespace"], request.path_params["name"]
        index = await self._visible(request)
        return next((each for each in index.servers if place(each) == wanted), None)

    def _setups(self, servers: Sequence[Described]) -> list[views.Setup]:
        transports = ("http", "stdio") if self._local else ("http",)
        return [
            setup for transport in transports for setup in views.setups_of(self._connect(servers, transport), transport)
        ]


def _is_part(request: Request) -> bool:
    """Only what changes, for the script."""
    return request.query_params.get("part") == "main"


async def _html(render: Callable[[], str]) -> Response:
    return HTMLResponse(await run_in_thread(render), headers={**views.HEADERS, "Cache-Control": "no-store"})


def _missing(text: str) -> Response:
    return PlainTextResponse(f"{text}\n", 404, views.HEADERS)


async def _show_static(request: Request) -> Response:
    name = request.path_params["name"]
    content = views.static(name)
    if content is None:
        return _missing("no such file")
    return Response(content, media_type=views.STATIC[name], headers={**views.HEADERS, **_FOR_GOOD})
