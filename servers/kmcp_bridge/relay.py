"""One request of a client, answered through the process: filtered, in one page, and in the client's own era."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcp.shared.inbound import InboundLadderRejection, validate_mcp_param_headers
from mcp_types import INVALID_PARAMS, METHOD_NOT_FOUND, SERVER_INFO_META_KEY
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, LATEST_HANDSHAKE_VERSION, MODERN_PROTOCOL_VERSIONS

from .child import Child
from .envelope import bare, enveloped, handshake_result, offered, stateless_result
from .wire import Json, Progress, RpcError, as_object

log = logging.getLogger("kmcp.bridge")
# A server that always sends a new cursor would otherwise never end.
_MOST_PAGES = 1000
# What only one era has, or what a process shared by clients cannot promise to one of them.
_NOT_SHARED = ("resources/subscribe", "resources/unsubscribe", "subscriptions/listen")
_NOT_STATELESS = (*_NOT_SHARED, "initialize", "ping", "logging/setLevel")
_NOT_BEFORE = (*_NOT_SHARED, "server/discover")


@dataclass(frozen=True)
class Call:
    """A client's request; `headers` only of the stateless era, whose headers repeat parts of the body."""

    method: str
    params: Json
    headers: Mapping[str, str] | None = None

    @property
    def stateless(self) -> bool:
        return self.headers is not None


async def answer(call: Call, child: Child, tools: frozenset[str], progress: Progress | None = None) -> Json:
    """The result, or RpcError."""
    if call.method in (_NOT_STATELESS if call.stateless else _NOT_BEFORE):
        raise RpcError(METHOD_NOT_FOUND, f"Method not found: {call.method}")
    if call.method == "ping":
        return {}
    await child.wire()
    if call.method == "initialize":
        return _introduced(child, call.params)
    if call.method == "server/discover":
        return _discovered(child)
    if call.method == "tools/list":
        result: Any = await _list_tools(call, child, tools)
    else:
        if call.method == "tools/call":
            await _check(call, child, tools)
        result = await _forward(call, child, call.params, progress)
    return stateless_result(call.method, result, child.identity.info) if call.stateless else handshake_result(result)


async def _forward(call: Call, child: Child, params: Json, progress: Progress | None = None) -> Any:
    wire = await child.wire()
    identity = child.identity
    given = enveloped(params, identity.version) if identity.modern else bare(params)
    return await wire.request(call.method, given, progress)


def _introduced(child: Child, params: Json) -> Json:
    asked = params.get("protocolVersion")
    identity = child.identity
    result = {
        "protocolVersion": asked if asked in HANDSHAKE_PROTOCOL_VERSIONS else LATEST_HANDSHAKE_VERSION,
        "capabilities": offered(identity.capabilities),
        "serverInfo": {"name": child.argv[0], "version": ""} | identity.info,
    }
    return result | ({"instructions": identity.instructions} if identity.instructions else {})


def _discovered(child: Child) -> Json:
    identity = child.identity
    result = {
        "supportedVersions": [*HANDSHAKE_PROTOCOL_VERSIONS, *MODERN_PROTOCOL_VERSIONS],
        "capabilities": offered(identity.capabilities),
        "_meta": {SERVER_INFO_META_KEY: {"name": child.argv[0], "version": ""} | identity.info},
    }
    named = result | ({"instructions": identity.instructions} if identity.instructions else {})
    return stateless_result("server/discover", named, identity.info)


async def _list_tools(call: Call, child: Child, tools: frozenset[str]) -> Json:
    """All pages of the process as one; a cursor of the client means nothing, there is one page."""
    params = {key: value for key, value in call.params.items() if key != "cursor"}
    listing = Call("tools/list", params, call.headers)
    wire, pages, found, first = await child.wire(), 0, list[Json](), dict[str, Any]()
    seen, cursor = set[str](), None
    while pages < _MOST_PAGES:
        result = await _forward(listing, child, params if cursor is None else {**params, "cursor": cursor})
        page = as_object(result)
        found += [tool for tool in page.get("tools") or () if isinstance(tool, dict)]
        first, pages, cursor = first or page, pages + 1, page.get("nextCursor")
        if not isinstance(cursor, str) or cursor in seen:
            break
        seen.add(cursor)
    if wire.tools is None and (absent := tools - {tool.get("name") for tool in found}):
        log.warning("KMCP_TOOLS names tools that the server does not have: %s", ", ".join(sorted(absent)))
    wire.tools = found
    kept = [tool for tool in found if not tools or tool.get("name") in tools]
    return {key: value for key, value in first.items() if key != "nextCursor"} | {"tools": kept}


async def _check(call: Call, child: Child, tools: frozenset[str]) -> None:
    """Refuse what KMCP_TOOLS leaves out, and headers that disagree with the arguments they repeat."""
    name = call.params.get("name")
    if tools and name not in tools:
        raise RpcError(
            INVALID_PARAMS, f"tool {name!r} is not served: KMCP_TOOLS allows only {', '.join(sorted(tools))}"
        )
    arguments = call.params.get("arguments") or {}
    if call.headers is None or not isinstance(arguments, Mapping):
        return
    if not arguments and not any(header.startswith("mcp-param-") for header in call.headers):
        return
    wire = await child.wire()
    if wire.tools is None:
        await _list_tools(Call("tools/list", {"_meta": _quiet(call.params)}, call.headers), child, tools)
    schema = next((tool.get("inputSchema") for tool in wire.tools or () if tool.get("name") == name), None)
    fault = validate_mcp_param_headers(schema, arguments, call.headers) if schema is not None else None
    if isinstance(fault, InboundLadderRejection):
        raise RpcError(fault.code, fault.message, fault.data)


def _quiet(params: Json) -> Json:
    return {key: value for key, value in (params.get("_meta") or {}).items() if key != "progressToken"}
