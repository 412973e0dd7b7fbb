"""Trying what a client will do: start or reach the server, shake hands, list its tools."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kmcp_runtime.catalog import Connection
from kmcp_runtime.counting import counted

if TYPE_CHECKING:
    from mcp.shared._httpx_utils import McpHttpClientFactory

_REFUSED, _UNAUTHORIZED, _NOT_FOUND = 400, 401, 404  # statuses of HTTP


@dataclass(frozen=True)
class Outcome:
    """What came of a handshake: `tools` of them, or why not."""

    name: str
    tools: int = 0
    fault: str = ""

    def __str__(self) -> str:
        if self.fault:
            return f"{self.name}: not connected: {self.fault}"
        return f"{self.name}: {counted(self.tools, 'tool')}"


async def shake_hands(
    connections: tuple[Connection, ...], environment: Mapping[str, str], seconds: float
) -> list[Outcome]:
    """Each in its turn, with nothing but what stands in the configuration. Errors: none; they are outcomes."""
    return [await _shake_hands(each, environment, seconds) for each in connections]


async def _shake_hands(each: Connection, environment: Mapping[str, str], seconds: float) -> Outcome:
    from fastmcp import Client
    from fastmcp.client.transports import ClientTransport, StdioTransport, StreamableHttpTransport

    bearer = each.bearer or (environment.get(each.token, "") if each.token else "")
    refused: list[int] = []
    transport: ClientTransport
    if each.url:
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        transport = StreamableHttpTransport(each.url, headers=headers, httpx_client_factory=_noting(refused))
    else:
        handed = {env.name: environment[env.name] for env in each.env if env.name in environment}
        transport = StdioTransport(each.command[0], list(each.command[1:]), env={**handed, **each.values})
    try:
        async with asyncio.timeout(seconds), Client(transport) as client:
            return Outcome(each.name, len(await client.list_tools()))
    except TimeoutError:
        return Outcome(each.name, fault=f"no answer within {seconds:g} s")
    except Exception as error:  # whatever a foreign answer makes of a client: it is told, and nothing depends on it
        if refused:
            return Outcome(each.name, fault=_why_refused(refused[-1], each, bearer))
        return Outcome(each.name, fault=f"{type(error).__name__}: {error}".strip().splitlines()[0][:300])


def _noting(refused: list[int]) -> "McpHttpClientFactory":
    """Makes clients that note the statuses of refusals, which the SDK's own errors do not say."""
    import httpx2

    async def note(response: httpx2.Response) -> None:
        # A server may refuse the stream of a GET and take everything else.
        if response.status_code >= _REFUSED and response.request.method == "POST":
            refused.append(response.status_code)

    def client(
        headers: dict[str, str] | None = None,
        timeout: httpx2.Timeout | None = None,
        auth: httpx2.Auth | None = None,
        **others: Any,
    ) -> httpx2.AsyncClient:
        hooks = {"response": [note]}
        return httpx2.AsyncClient(headers=headers, timeout=timeout or 30.0, auth=auth, event_hooks=hooks, **others)

    return client


def _why_refused(status: int, each: Connection, bearer: str) -> str:
    if status == _UNAUTHORIZED:
        token = f"the token in {each.token}" if each.token else "this token"
        wants = f"{each.token} is not set here" if each.token else "--token-env names the variable that holds one"
        return (
            f"HTTP {status}: the server does not take {token}"
            if bearer
            else f"HTTP {status}: a token is wanted; {wants}"
        )
    hint = "; the path is usually /mcp" if status == _NOT_FOUND else ""
    return f"HTTP {status}{hint}"
