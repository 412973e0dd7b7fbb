"""V13: what the registry API asks beside its lists."""

import httpx2
import pytest

from kmcp_controller.catalog.live_document import LiveDocument
from kmcp_controller.catalog.site import app
from kmcp_runtime.version import VERSION
from tests.controller.listings import server
from tests.controller.test_site import ENTRY, prometheus, site
from tests.serving import served


@pytest.mark.parametrize(
    ("path", "key", "value"), [("health", "status", "ok"), ("ping", "pong", True), ("version", "version", VERSION)]
)
async def test_it_says_that_it_lives_and_what_it_is(path: str, key: str, value: object) -> None:
    async with site() as (_, http):
        for slash in ("", "/"):
            answer = await http.get(f"/v0.1/{path}{slash}")
            assert (answer.status_code, answer.json()[key]) == (200, value)


async def test_a_slash_at_the_end_changes_nothing() -> None:
    async with site(prometheus()) as (_, http):
        for path in ("servers", "servers/io.example.kmcp%2Fkmcp-prometheus/versions/latest"):
            plain, slashed = await http.get(f"/v0.1/{path}"), await http.get(f"/v0.1/{path}/")
            assert (slashed.status_code, slashed.json()) == (200, plain.json())


async def test_a_name_is_the_same_wherever_it_is_listed() -> None:
    """Of the entry, until two servers share it."""
    live, entry = LiveDocument(), ENTRY.model_copy(update={"registry_name": None})
    live.update(server(entry_name="kmcp-prometheus", entry=entry))
    site_of = app(live, {"kmcp-prometheus": entry})
    async with served(site_of, lifespan="off") as base, httpx2.AsyncClient(base_url=base, trust_env=False) as http:

        async def names() -> set[str]:
            listed = (await http.get("/v0.1/servers")).json()["servers"]
            exported = (await http.get("/export/server-json")).json()["servers"]
            assert {each["server"]["name"] for each in listed} == {each["name"] for each in exported}
            return {each["name"] for each in exported}

        assert await names() == {"local.cluster/kmcp-prometheus"}
        live.update(server(entry_name="kmcp-prometheus", entry=entry, namespace="team"))
        assert await names() == {"local.cluster/tools.kmcp-prometheus", "local.cluster/team.kmcp-prometheus"}


@pytest.mark.parametrize(
    ("hosts", "origin", "allowed"),
    [
        (None, "https://catalog.example.com", "*"),
        (["127.0.0.1"], "http://localhost:6274", "http://localhost:6274"),
        (["127.0.0.1"], "https://evil.example.com", None),
        (["127.0.0.1"], "http://localhost.evil.example.com", None),
    ],
)
async def test_pages_of_other_origins_may_read_the_registry_alone(
    hosts: list[str] | None, origin: str, allowed: str | None
) -> None:
    async with served(app(LiveDocument(), {}, hosts=hosts), lifespan="off") as base:
        async with httpx2.AsyncClient(base_url=base, trust_env=False, headers={"Origin": origin}) as http:
            for answer in (await http.get("/v0.1/servers"), await http.options("/v0.1/servers")):
                assert answer.is_success
                assert answer.headers.get("access-control-allow-origin") == allowed
            assert "access-control-allow-origin" not in (await http.get("/catalog.json")).headers
