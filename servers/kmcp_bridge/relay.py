"""One request of a client, answered through the process: filtered, in one page, and in the client's own era."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcp.shared.inbound import InboundLadderRejection, validate_mcp_param_headers
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND, REQUEST_TIMEOUT, SERVER_INFO_META_KEY
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, LATEST_HANDSHAKE_VERSION, MODERN_PROTOCOL_VERSIONS

from .allowed import Allowed
from .answers import RpcError, as_text, usable_tools
from .child import Child
from .envelope import bare, enveloped, handshake_result, offered, stateless_result
from .framing import Json
from .wire import Progress

log = logging.getLogger("kmcp.bridge")
# A server that always sends a new cursor would otherwise never end.
_MOST_PAGES, _MOST_TOOLS = 1000, 10_000
# What only one era has, or what a process shared by clients cannot promise to one of them.
_NOT_SHARED = ("resources/subscribe", "resources/unsubscribe")
_NOT_STATELESS = (*_NOT_SHARED, "subscriptions/listen", "initialize", "ping", "logging/setLevel")
_NOT_BEFORE = ("subscriptions/listen", "server/discover")
# The bridge has said it to the process already.
_SAID = ("notifications/initialized",)


@dataclass(frozen=True)
class Call:
    """A client's request; `headers` only of the stateless era, whose headers repeat parts of the body."""

    method: str
    params: Json
    headers: Mapping[str, str] | None = None

    @property
    def stateless(self) -> bool:
        return self.headers is not None


async def answer(call: Call, child: Child, allowed: Allowed, progress: Progress | None = None) -> Json:
    """The result, or RpcError."""
    if call.method in _unserved(call, child):
        raise RpcError(METHOD_NOT_FOUND, f"Method not found: {call.method}")
    if call.method == "ping":
        return {}
    await child.wire()
    if call.method == "initialize":
        return _introduced(child, call.params)
    if call.method == "server/discover":
        return _discovered(child)
    if call.method == "tools/list":
        result = await _list_tools(call, child, allowed)
    else:
        if call.method == "tools/call":
            await _check(call, child, allowed)
        result = await _forward(call, child, call.params, progress)
    return stateless_result(call.method, result, child.introduced()) if call.stateless else handshake_result(result)


async def notify(child: Child, method: str, params: Json) -> Json:
    """Pass on what the client of a session announces; nothing is answered."""
    if method not in _SAID:
        with contextlib.suppress(RpcError):  # The process is not there, and the next one has not missed anything.
            await (await child.wire()).notify(method, bare(params))
    return {}


def _unserved(call: Call, child: Child) -> tuple[str, ...]:
    if call.stateless:
        return _NOT_STATELESS
    return _NOT_BEFORE if child.exclusive else (*_NOT_SHARED, *_NOT_BEFORE)


async def _forward(call: Call, child: Child, params: Json, progress: Progress | None = None) -> Json:
    wire = await child.wire()
    identity = child.identity
    given = enveloped(params, identity.version) if identity.modern else bare(params)
    return await wire.request(call.method, given, progress)


def _introduced(child: Child, params: Json) -> Json:
    asked, identity = params.get("protocolVersion"), child.identity
    version = asked if asked in HANDSHAKE_PROTOCOL_VERSIONS else LATEST_HANDSHAKE_VERSION
    result = {
        # What a process of the client's own says goes to it as it is, so they must speak the same.
        "protocolVersion": identity.version if child.exclusive and not identity.modern else version,
        "capabilities": offered(identity.capabilities, child.exclusive),
        "serverInfo": child.introduced(),
    }
    return result | ({"instructions": identity.instructions} if identity.instructions else {})


def _discovered(child: Child) -> Json:
    identity = child.identity
    result = {
        "supportedVersions": [*HANDSHAKE_PROTOCOL_VERSIONS, *MODERN_PROTOCOL_VERSIONS],
        "capabilities": offered(identity.capabilities, child.exclusive),
        "_meta": {SERVER_INFO_META_KEY: child.introduced()},
    }
    named = result | ({"instructions": identity.instructions} if identity.instructions else {})
    return stateless_result("server/discover", named, child.introduced())


async def _list_tools(call: Call, child: Child, allowed: Allowed) -> Json:
    """All pages of the process as one; a cursor of the client means nothing, there is one page."""
    wire = await child.wire()
    try:
        async with asyncio.timeout(wire.seconds):
            first, found = await _read_pages(call, child)
    except TimeoutError:
        text = f"the server did not list its tools within {wire.seconds:g} s (KMCP_BRIDGE_TIMEOUT)"
        raise RpcError(REQUEST_TIMEOUT, text) from None
    if wire.tools is None and (absent := allowed.absent(found)):
        log.warning("KMCP_TOOLS names tools that the server does not have: %s", ", ".join(absent))
    wire.tools = found
    return {key: value for key, value in first.items() if key != "nextCursor"} | {"tools": allowed.of(found)}


async def _read_pages(call: Call, child: Child) -> tuple[Json, list[Json]]:
    """The first page as it is, and the tools of all pages that a client can read."""
    params = {key: value for key, value in call.params.items() if key != "cursor"}
    listing = Call("tools/list", params, call.headers)
    pages, found, first, left_out = 0, list[Json](), dict[str, Any](), 0
    seen, cursor = set[str](), None
    while pages < _MOST_PAGES and len(found) <= _MOST_TOOLS:
        page = await _forward(listing, child, params if cursor is None else {**params, "cursor": cursor})
        listed = page.get("tools")
        if not isinstance(listed, list):
            raise RpcError(INTERNAL_ERROR, "the server answered tools/list without a list of tools")
        usable = usable_tools(page)
        left_out += len(listed) - len(usable)
        found += usable
        first, pages, cursor = first or page, pages + 1, as_text(page.get("nextCursor"))
        if not cursor or cursor in seen:
            break
        seen.add(cursor)
    if left_out:
        log.warning("%d tools are left out: they have no name, or no object as inputSchema", left_out)
    return first, found


async def _check(call: Call, child: Child, allowed: Allowed) -> None:
    """Refuse what is not served, and headers that disagree with the arguments they repeat."""
    name, arguments = as_text(call.params.get("name")), call.params.get("arguments") or {}
    if name is None:
        raise RpcError(INVALID_PARAMS, "params.name must be the name of a tool")
    repeats = call.headers is not None and isinstance(arguments, Mapping) and _may_repeat(arguments, call.headers)
    wire = await child.wire()
    if wire.tools is None and (allowed.read_only or repeats):
        await _list_tools(Call("tools/list", {"_meta": _quiet(call.params)}, call.headers), child, allowed)
    tool = next((tool for tool in wire.tools or () if tool["name"] == name), None)
    if refusal := allowed.refusal(name, tool):
        raise RpcError(INVALID_PARAMS, refusal)
    if repeats and tool is not None and call.headers is not None:
        fault = validate_mcp_param_headers(tool["inputSchema"], arguments, call.headers)
        if isinstance(fault, InboundLadderRejection):
            raise RpcError(fault.code, fault.message, fault.data)


def _may_repeat(arguments: Mapping[str, Any], headers: Mapping[str, str]) -> bool:
    return bool(arguments) or any(header.startswith("mcp-param-") for header in headers)


def _quiet(params: Json) -> Json:
    return {key: value for key, value in (params.get("_meta") or {}).items() if key != "progressToken"}
