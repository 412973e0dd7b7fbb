"""A client that sends any JSON at all as its answer, which the libraries for clients would not let pass."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from kmcp_runtime import ERROR_META

MODERN = "2026-07-28"
LEGACY = "2025-11-25"
_ACCEPT = {"Accept": "application/json, text/event-stream"}
FORMS: dict[str, Any] = {"elicitation": {}}


class RawClient:
    """Calls tools of one server; `answer` makes the result of its question, from nothing of the question."""

    def __init__(self, http: httpx2.AsyncClient, url: str, session: str | None, capabilities: Any) -> None:
        self._http = http
        self._url = f"{url}/mcp"
        self._session = session
        self._capabilities = capabilities
        self.asked = 0

    async def call(self, tool: str, arguments: dict[str, Any], answer: Any) -> dict[str, Any]:
        """The final JSON-RPC message: a result, of success or failure, or an error."""
        if self._session is None:
            return await self._call_modern(tool, arguments, answer)
        return await self._call_legacy(tool, arguments, answer)

    async def send_modern(self, tool: str, arguments: dict[str, Any], **params: Any) -> dict[str, Any]:
        meta = {
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientCapabilities": self._capabilities,
        }
        body = _request("tools/call", {"name": tool, "arguments": arguments, "_meta": meta, **params})
        headers = {**_ACCEPT, "MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": tool}
        return _message((await self._http.post(self._url, json=body, headers=headers)).text)

    async def _call_modern(self, tool: str, arguments: dict[str, Any], answer: Any) -> dict[str, Any]:
        message = await self.send_modern(tool, arguments)
        result = message.get("result", {})
        if result.get("resultType") != "input_required":
            return message
        self.asked += 1
        responses = dict.fromkeys(result["inputRequests"], answer)
        return await self.send_modern(tool, arguments, inputResponses=responses, requestState=result["requestState"])

    async def _call_legacy(self, tool: str, arguments: dict[str, Any], answer: Any) -> dict[str, Any]:
        body = _request("tools/call", {"name": tool, "arguments": arguments})
        async with self._http.stream("POST", self._url, json=body, headers=self._headers()) as response:
            async for line in response.aiter_lines():
                message = (
                    json.loads(line.removeprefix("data:")) if line.startswith("data:") and line[5:].strip() else {}
                )
                if message.get("method") == "elicitation/create":
                    self.asked += 1
                    reply = {"jsonrpc": "2.0", "id": message["id"], "result": answer}
                    await self._http.post(self._url, json=reply, headers=self._headers())
                elif message.get("id") == body["id"]:
                    return dict(message)
        raise AssertionError("the stream ended without an answer")

    async def ask_and_leave(self, tool: str, arguments: dict[str, Any]) -> None:
        """The older revision: drop the stream of the call while its question is open."""
        body = _request("tools/call", {"name": tool, "arguments": arguments})
        async with self._http.stream("POST", self._url, json=body, headers=self._headers()) as response:
            async for line in response.aiter_lines():
                if "elicitation/create" in line:
                    return
        raise AssertionError("the stream ended without a question")

    def _headers(self) -> dict[str, str]:
        return {**_ACCEPT, "MCP-Protocol-Version": LEGACY, "Mcp-Session-Id": self._session or ""}


@asynccontextmanager
async def raw_client(url: str, revision: str, capabilities: Any = None) -> AsyncIterator[RawClient]:
    """Connected as a client of the revision would be; by default it can show forms."""
    capabilities = FORMS if capabilities is None else capabilities
    async with httpx2.AsyncClient(timeout=60) as http:
        if revision == MODERN:
            yield RawClient(http, url, None, capabilities)
            return
        params = {
            "protocolVersion": LEGACY,
            "capabilities": capabilities,
            "clientInfo": {"name": "raw", "version": "1"},
        }
        response = await http.post(f"{url}/mcp", json=_request("initialize", params), headers=_ACCEPT)
        client = RawClient(http, url, response.headers["mcp-session-id"], capabilities)
        ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        await http.post(f"{url}/mcp", json=ready, headers=client._headers())
        yield client


def failure_of(message: dict[str, Any]) -> dict[str, Any]:
    """The error body of the suite, or of JSON-RPC where the protocol itself refuses the message."""
    if "error" in message:
        return dict(message["error"])
    assert message["result"].get("isError"), message
    return dict(message["result"]["_meta"][ERROR_META])


def _request(method: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}


def _message(text: str) -> dict[str, Any]:
    if text.lstrip().startswith("{"):
        return dict(json.loads(text))
    data = [line.removeprefix("data:") for line in text.splitlines() if line.startswith("data:") and line[5:].strip()]
    return dict(json.loads(data[-1]))
