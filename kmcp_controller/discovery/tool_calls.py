"""Calling one tool of a server for somebody who looks at its page: with his headers, and none of the controller's."""

import asyncio
import base64
import contextlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import httpx2

from kmcp_controller.catalog.console import CallFailedError
from kmcp_runtime.foreign.scrubbing import clean, scrub
from kmcp_runtime.worker import run_in_thread

from .mcp_client import LARGEST, MODERN, Connection, DiscoveryError, RefusedError

_CLIENT = "kmcp-suite-console"
_TOKEN = "console"  # noqa: S105  # of progress: there is one call in a connection
_GREETING_SECONDS = 20.0
_PLAIN = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
_MARKED = "=?base64?"
_LONGEST = 300  # characters of a message of progress


async def call_tool(
    url: str,
    headers: Mapping[str, str],
    tool: Mapping[str, Any],
    arguments: Mapping[str, Any],
    heard: Callable[[Mapping[str, Any]], None],
    version: str | None,
) -> Mapping[str, Any]:
    """The result as MCP gives it, cleaned as whatever a server says. `version`: the revision that it spoke last.

    Errors: CallFailedError in the server's words, or for arguments that cannot be sent. Cancelled, it tells the server
    so.
    """
    _check(arguments)
    try:
        async with Connection(url, headers, client=_CLIENT) as connection:
            if version != MODERN:
                await connection.greet(_GREETING_SECONDS)
            return await _call(connection, tool, arguments, heard)
    except DiscoveryError as error:
        raise CallFailedError(_words(error), error.status) from error
    except RefusedError as error:
        raise CallFailedError(str(error)) from error
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        text = clean(f"{type(error).__name__}: {error}".rstrip(": "), 256)
        raise CallFailedError(f"the server cannot be reached: {text}") from error


def _check(arguments: Mapping[str, Any]) -> None:
    """What Python takes for JSON is more than a request can hold."""
    try:
        json.dumps(arguments, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        text = "a text in them holds half of a character (a lone surrogate, \\ud800 to \\udfff); write the whole one"
        raise CallFailedError(f"the arguments cannot be sent: {text}") from None
    except ValueError:
        text = "a number in them is infinite, too large or NaN, which JSON does not have"
        raise CallFailedError(f"the arguments cannot be sent: {text}") from None


async def _call(
    connection: Connection,
    tool: Mapping[str, Any],
    arguments: Mapping[str, Any],
    heard: Callable[[Mapping[str, Any]], None],
) -> Mapping[str, Any]:
    name = str(tool["name"])
    params = {"name": name, "arguments": dict(arguments), "_meta": {"progressToken": _TOKEN}}
    named = _header_names(tool["inputSchema"], arguments) | {"Mcp-Name": _encoded(name)}
    modern = connection.version == MODERN

    def listen(message: Mapping[str, Any]) -> None:
        params = message.get("params")
        if message.get("method") == "notifications/progress" and isinstance(params, dict):
            heard(_progress(params))

    try:
        result = await connection.ask("tools/call", params, named if modern else {}, listen)
    except asyncio.CancelledError:
        if not modern:  # there the end of the connection says nothing
            with contextlib.suppress(httpx2.HTTPError, TimeoutError):
                async with asyncio.timeout(2):
                    await connection.tell("notifications/cancelled", {"requestId": connection.last_id})
        raise
    # Texts stay whole: they are what the caller wants, and the connection bounds them all together.
    found: dict[str, Any] = await run_in_thread(scrub, result, 0, LARGEST)
    if found.get("resultType") == "input_required":
        raise CallFailedError("the server asks for more than the arguments, which this page cannot give; use a client")
    return found


def _progress(params: Mapping[str, Any]) -> Mapping[str, Any]:
    numbers = {key: params.get(key) for key in ("progress", "total")}
    found: dict[str, Any] = {
        key: value for key, value in numbers.items() if isinstance(value, int | float) and abs(value) < 2.0**53
    }
    message = params.get("message")
    return found | ({"message": clean(message, _LONGEST)} if isinstance(message, str) else {})


def _words(error: DiscoveryError) -> str:
    if error.status:
        return error.words or f"the server answered with HTTP {error.status}"
    if error.reason == "TooLarge":
        return f"the answer is too large for this page: {error}; ask for less, or use a client"
    return str(error)


def _encoded(value: str) -> str:
    """As the header's value by revision 2026-07-28: plain text as it is, all else in base64."""
    if _PLAIN.fullmatch(value) and not value.startswith(_MARKED):
        return value
    return f"{_MARKED}{base64.b64encode(value.encode()).decode()}?="


def _header_names(schema: Any, arguments: Mapping[str, Any]) -> dict[str, str]:
    """Headers for the arguments that a schema wants there as well, which few do."""
    if "x-mcp-header" not in json.dumps(schema):
        return {}
    # Here and not above: nothing else of the library is needed, and it is large.
    from mcp.shared.inbound import find_invalid_x_mcp_header, mcp_param_headers, x_mcp_header_map

    if find_invalid_x_mcp_header(schema):
        return {}
    return mcp_param_headers(x_mcp_header_map(schema), arguments)
