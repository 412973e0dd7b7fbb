"""Views behind one MCP object: who is told of them, and where they are read (`kmcp_runtime.apps`).

Only a client that announces the extension finds a view with a tool, a capability for resources, and the list of views:
for every other client nothing grows. A view holds no data, so whoever asks for its address may read it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import mcp_types
from fastmcp import FastMCP
from fastmcp.resources import Resource
from fastmcp.resources.base import ResourceContent, ResourceResult
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.server.providers import Provider
from fastmcp.tools import Tool
from fastmcp.utilities.versions import VersionSpec
from mcp.server.context import CallNext as NextRequest
from mcp.server.context import HandlerResult, ServerRequestContext
from pydantic import PrivateAttr

from kmcp_runtime import apps
from kmcp_runtime.apps import documents
from kmcp_runtime.engine.configured import load_all
from kmcp_runtime.engine.dispatch import SuiteTool

if TYPE_CHECKING:
    from kmcp_runtime.declaration import ToolSpec
    from kmcp_runtime.engine.configured import ConfiguredServer
    from kmcp_runtime.server import Server

_NO_ORIGIN: Mapping[str, Any] = {
    name: [] for name in ("connectDomains", "resourceDomains", "frameDomains", "baseUriDomains")
}
_ABILITIES = ("initialize", "server/discover")
_TELL_OF_VIEWS = frozenset({*_ABILITIES, "tools/list", "resources/list"})
"""The requests in whose answers views are named; what the client can is looked up in no other."""
_shows: ContextVar[bool] = ContextVar("kmcp_shows_views", default=False)


class View(Resource):
    """The document of a view, put together when it is first read."""

    _package: str = PrivateAttr()
    _view: str = PrivateAttr()

    @classmethod
    def of(cls, server: Server, declared: ToolSpec) -> View:
        """Errors: FileNotFoundError where the server's package lacks the script that the tool names."""
        view = str(declared.view)
        if not documents.exists(server.package, view):
            script = f"{server.package}/{documents.FOLDER}/{view}.js"
            raise FileNotFoundError(f"{declared.name} has view={view!r}, and {script} is not there")
        made = cls(
            uri=apps.address(server.name, view),
            name=f"{server.name} {view}",
            title=declared.title,
            mime_type=apps.MIME_TYPE,
            meta={"ui": {"csp": dict(_NO_ORIGIN), "prefersBorder": True}},
        )
        made._package, made._view = server.package, view
        return made

    async def read(self) -> ResourceResult:
        text = documents.document(self._package, self._view, str(self.title))
        return ResourceResult([ResourceContent(text, mime_type=self.mime_type, meta={"ui": (self.meta or {})["ui"]})])


class Listing(Middleware):
    """Names views in the lists of those that show them."""

    async def on_list_tools(
        self,
        context: MiddlewareContext[mcp_types.ListToolsRequest],
        call_next: CallNext[mcp_types.ListToolsRequest, Sequence[Tool]],
    ) -> Sequence[Tool]:
        found = await call_next(context)
        return [_linked(tool) for tool in found] if _shows.get() else found


class Views(Provider):
    """The views of tools, as the framework asks for them."""

    def __init__(self, instances: Iterable[ConfiguredServer]) -> None:
        super().__init__()
        self._instances = list(instances)
        for instance in self._instances:
            if instance.is_loaded:  # at a start, as its author sees it there
                self._of(instance)

    async def _list_resources(self) -> Sequence[Resource]:
        if not _shows.get():
            return []
        await load_all(self._instances)
        return [view for instance in self._instances for view in self._of(instance)]

    async def _get_resource(self, uri: str, version: VersionSpec | None = None) -> Resource | None:
        for instance in self._instances:
            if uri.startswith(apps.address(instance.name, "")):
                await instance.load()
                return next((view for view in self._of(instance) if str(view.uri) == uri), None)
        return None

    def _of(self, instance: ConfiguredServer) -> list[View]:
        views = {declared.view: declared for declared in instance.tools.values() if declared.view}
        return [View.of(instance.server, declared) for declared in views.values()]


def install(mcp: FastMCP[Any], instances: Iterable[ConfiguredServer]) -> None:
    """Have the object serve the views of these tools, and know for each request whether its client shows views."""
    mcp.add_provider(Views(instances))
    mcp._mcp_server.middleware.append(_noting)


async def _noting(ctx: ServerRequestContext[Any, Any], call_next: NextRequest) -> HandlerResult:
    if ctx.method not in _TELL_OF_VIEWS:
        return await call_next(ctx)
    shows = apps.are_announced(_capabilities_of(ctx))
    token = _shows.set(shows)
    try:
        result = await call_next(ctx)
    finally:
        _shows.reset(token)
    # Here, as the library settles what a server can do before it knows who asks.
    if shows and ctx.method in _ABILITIES and isinstance(result, dict):
        result = {**result, "capabilities": apps.capabilities(result["capabilities"], ctx.method)}
    return result


def _capabilities_of(context: ServerRequestContext[Any, Any]) -> Any:
    """What the client can: it says so as it shakes hands, and in the current revision with each request."""
    if context.method == "initialize":
        return (context.params or {}).get("capabilities")
    announced = context.session.client_capabilities
    return announced.model_dump(by_alias=True) if announced else None


def _linked(tool: Tool) -> Tool:
    if not isinstance(tool, SuiteTool) or tool.view is None:
        return tool
    return tool.model_copy(update={"meta": {**(tool.meta or {}), "ui": {"resourceUri": tool.view}}})
