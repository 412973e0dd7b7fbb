"""What the engine answers to lines of JSON over stdio streams, in this process."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any
from unittest.mock import patch

from mcp.server.stdio import stdio_server

from kmcp_runtime import Server
from kmcp_runtime.engine.assembly import compose
from kmcp_runtime.engine.cli import configured
from tests.slowness import scaled

MODERN = "2026-07-28"
_PREFIX = "io.modelcontextprotocol/"
INFO = {"name": "x", "version": "1"}
ENVELOPE: dict[str, Any] = {
    "_meta": {f"{_PREFIX}protocolVersion": MODERN, f"{_PREFIX}clientInfo": INFO, f"{_PREFIX}clientCapabilities": {}}
}


def opening(
    revision: str, capabilities: Mapping[str, Any] = MappingProxyType({}), name: str = INFO["name"]
) -> list[dict[str, Any]]:
    """What a client of the revision with these capabilities and this name sends first, up to the list of tools."""
    info = {**INFO, "name": name}
    if revision == MODERN:
        told = {f"{_PREFIX}clientInfo": info, f"{_PREFIX}clientCapabilities": dict(capabilities)}
        envelope = {"_meta": {**ENVELOPE["_meta"], **told}}
        return [_request(1, "server/discover", envelope), _request(2, "tools/list", envelope)]
    hello = {"protocolVersion": revision, "capabilities": dict(capabilities), "clientInfo": info}
    ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    return [_request(1, "initialize", hello), ready, _request(2, "tools/list", {}), _request(3, "ping", {})]


def lists_of_runbooks(revision: str) -> list[dict[str, Any]]:
    """What a client asks for next where prompts and resources are declared."""
    params = ENVELOPE if revision == MODERN else {}
    methods = ("prompts/list", "resources/list", "resources/templates/list")
    return [_request(number, method, params) for number, method in enumerate(methods, 11)]


def _request(number: int, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


async def engine_answers(
    servers: Sequence[Server], argv: Sequence[str], environment: Mapping[str, str], lines: Sequence[Any]
) -> dict[Any, dict[str, Any]]:
    """The answers by the ids of the requests; each line is a message, or the text of one."""
    with patch.dict(os.environ, environment, clear=True):
        _, instances = configured(servers, [*argv], "test", "a test")
    name = servers[0].full_name if len(servers) == 1 else "kmcp-suite"
    server = compose(name, instances, None)._mcp_server
    ids = {line["id"] for line in lines if "id" in line}
    pipe = _Pipe([json.dumps(line) for line in lines], len(ids))
    async with asyncio.timeout(scaled(60)), stdio_server(pipe, pipe) as (incoming, outgoing):  # type: ignore[arg-type]
        # The lifespan opens backends, which no list needs.
        server.lifespan = _no_lifespan
        await server.run(incoming, outgoing, server.create_initialization_options())
    return {answer["id"]: answer for answer in pipe.answers}


class _NoLifespan:
    async def __aenter__(self) -> dict[str, Any]:
        return {}

    async def __aexit__(self, *_: object) -> None:
        """Nothing was opened."""


def _no_lifespan(_: Any) -> _NoLifespan:
    return _NoLifespan()


class _Pipe:
    """Both ends of a client that leaves when everything is answered."""

    def __init__(self, lines: Sequence[str], expected: int) -> None:
        self._lines, self._expected = lines, expected
        self.answers: list[dict[str, Any]] = []
        self._done = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[str]:
        for line in self._lines:
            yield line
        await self._done.wait()

    async def write(self, text: str) -> None:
        self.answers.append(json.loads(text))
        if len(self.answers) == self._expected:
            self._done.set()

    async def flush(self) -> None:
        """Nothing is held back."""
