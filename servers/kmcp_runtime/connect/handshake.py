"""Trying what a client will do: start or reach the server, shake hands, list its tools."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from kmcp_runtime.catalog import Connection


@dataclass(frozen=True)
class Outcome:
    """What came of a handshake: `tools` of them, or why not."""

    name: str
    tools: int = 0
    fault: str = ""

    def __str__(self) -> str:
        if self.fault:
            return f"{self.name}: not connected: {self.fault}"
        return f"{self.name}: {self.tools} tool{'' if self.tools == 1 else 's'}"


async def shake_hands(
    connections: tuple[Connection, ...], environment: Mapping[str, str], seconds: float
) -> list[Outcome]:
    """Each in its turn, with nothing but what stands in the configuration. Errors: none; they are outcomes."""
    return [await _shake_hands(each, environment, seconds) for each in connections]


async def _shake_hands(each: Connection, environment: Mapping[str, str], seconds: float) -> Outcome:
    from fastmcp import Client
    from fastmcp.client.transports import ClientTransport, StdioTransport, StreamableHttpTransport

    bearer = each.bearer or (environment.get(each.token, "") if each.token else "")
    transport: ClientTransport
    if each.url:
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        transport = StreamableHttpTransport(each.url, headers=headers)
    else:
        handed = {env.name: environment[env.name] for env in each.env if env.name in environment}
        transport = StdioTransport(each.command[0], list(each.command[1:]), env={**handed, **each.values})
    try:
        async with asyncio.timeout(seconds), Client(transport) as client:
            return Outcome(each.name, len(await client.list_tools()))
    except TimeoutError:
        return Outcome(each.name, fault=f"no answer within {seconds:g} s")
    except Exception as error:  # whatever a foreign answer makes of a client: it is told, and nothing depends on it
        return Outcome(each.name, fault=f"{type(error).__name__}: {error}".strip().splitlines()[0][:300])
