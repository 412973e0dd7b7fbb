"""The Grafana server before a stand-in that checks each request, in Grafana's current version and in an older one."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastmcp import Client
from pydantic import SecretStr
from starlette.types import Receive, Scope, Send

from kmcp_grafana.server import SERVER
from kmcp_grafana.settings import GrafanaSettings
from kmcp_runtime.engine.assembly import assemble
from tests.grafana.standin import StandIn
from tests.grafana.world import World, populated
from tests.mcp import ToolCaller
from tests.patience import patient
from tests.serving import served

OLDER = "11.6.0"
"""A version without the newer API."""


@pytest.fixture
def older() -> bool:
    """Whether the stand-in is of the older version; a test parametrises it."""
    return False


class Stage:
    """Where the stand-in of the test at hand is served: one listener for all tests, each with a stand-in of its own."""

    def __init__(self) -> None:
        self.standin = StandIn()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.standin(scope, receive, send)


@pytest.fixture(scope="session")
def stage() -> Stage:
    return Stage()


@pytest.fixture(scope="session")
async def address(stage: Stage) -> AsyncIterator[str]:
    async with served(stage, lifespan="off") as url:
        yield url


@pytest.fixture
def grafana(older: bool, stage: Stage) -> Iterator[StandIn]:
    """The stand-in; a test that made a request other than published fails."""
    stage.standin = StandIn(version=OLDER, apis=False) if older else StandIn()
    yield stage.standin
    assert stage.standin.violations == []


@pytest.fixture
def world(grafana: StandIn) -> World:
    return populated(grafana.state)


@asynccontextmanager
async def connected(address: str, runtime: dict[str, Any] | None = None, **settings: Any) -> AsyncIterator[ToolCaller]:
    """A client of the server, as the administrator unless told otherwise; destruction needs no approval here."""
    identity = {"grafana_username": "admin", "grafana_password": SecretStr("admin-password")}
    given = GrafanaSettings(grafana_url=address, **{**identity, **settings})
    async with Client(assemble(SERVER, given, patient(**{"approval": "off", **(runtime or {})}))) as client:
        yield ToolCaller(client)


def as_service_account(token: str) -> dict[str, Any]:
    """Settings of a server that has a token alone."""
    return {"grafana_username": "", "grafana_password": None, "grafana_token": SecretStr(token)}


@pytest.fixture(scope="session")
async def shared(address: str) -> AsyncIterator[dict[bool, ToolCaller]]:
    """A server for all tests of each version, since it asks once which APIs there are."""
    async with connected(address) as current, connected(address) as older:
        yield {False: current, True: older}


@pytest.fixture
def tools(shared: dict[bool, ToolCaller], grafana: StandIn, older: bool) -> ToolCaller:
    return shared[older]
