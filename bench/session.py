"""The thinnest MCP client there is, so that what is measured is the server: one HTTP request a call.

Each server is spoken to in the newest revision that it speaks: 2026-07-28 where it answers `server/discover`, else a
session of 2025-11-25.
"""

import json
from typing import Any

import httpx2

MODERN = "2026-07-28"
OLDER = "2025-11-25"
_ACCEPT = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
_META = {"io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {}}


class Session:
    """A connection to one server."""

    def __init__(self, url: str, token: str = "") -> None:
        self.url = url
        # Longer than any call takes here: a timeout would be a wrong figure.
        self.client = httpx2.AsyncClient(timeout=60, headers={"Authorization": f"Bearer {token}"} if token else None)
        self.protocol = MODERN
        self._session: dict[str, str] = {}
        self._id = 0

    async def open(self) -> "Session":
        answer = await self._post("server/discover", {})
        spoken = _payload(answer).get("result", {}) if answer.status_code < 400 else {}
        # Servers of the older revision answer an unknown method with an error, of HTTP or of JSON-RPC.
        if MODERN not in spoken.get("supportedVersions", ()):
            self.protocol = OLDER
            await self._initialize()
        return self

    async def close(self) -> None:
        await self.client.aclose()

    async def call(self, tool: str, arguments: dict[str, Any]) -> tuple[dict[str, Any], int]:
        """The result of a call, and the bytes of its text."""
        answer = await self._post("tools/call", {"name": tool, "arguments": arguments}, tool)
        answer.raise_for_status()
        payload = _payload(answer)
        if "error" in payload or payload["result"].get("isError"):
            raise RuntimeError(f"{tool}: {payload}")
        result: dict[str, Any] = payload["result"]
        return result, len("".join(block.get("text", "") for block in result["content"]).encode())

    async def _initialize(self) -> None:
        client = {"name": "bench", "version": "1"}
        answer = await self._post("initialize", {"protocolVersion": OLDER, "capabilities": {}, "clientInfo": client})
        answer.raise_for_status()
        if "mcp-session-id" in answer.headers:
            self._session = {"Mcp-Session-Id": answer.headers["mcp-session-id"]}
        note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        await self.client.post(self.url, json=note, headers=self._headers("notifications/initialized", None))

    async def _post(self, method: str, params: dict[str, Any], name: str | None = None) -> httpx2.Response:
        self._id += 1
        if self.protocol == MODERN:
            params = {**params, "_meta": _META}
        body = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": params}
        return await self.client.post(self.url, json=body, headers=self._headers(method, name))

    def _headers(self, method: str, name: str | None) -> dict[str, str]:
        headers = {**_ACCEPT, **self._session, "MCP-Protocol-Version": self.protocol}
        if self.protocol == MODERN:
            headers |= {"Mcp-Method": method} | ({"Mcp-Name": name} if name else {})
        return headers


def _payload(answer: httpx2.Response) -> dict[str, Any]:
    if not answer.headers.get("content-type", "").startswith("text/event-stream"):
        payload: dict[str, Any] = answer.json()
        return payload
    data = [line[5:] for line in answer.text.splitlines() if line.startswith("data:")]
    events = [json.loads(line) for line in data if line.strip()]
    return next(event for event in events if "result" in event or "error" in event)
