"""V13: what the registry API asks beside its lists."""

from urllib.parse import quote

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


async def test_the_requests_of_known_clients_are_answered() -> None:
    """As VS Code pages through a gallery and reads one server, and as GitHub checks a registry for Copilot."""
    many = [server(f"s{number:03d}") for number in range(60)]
    async with site(*many, prometheus()) as (_, http):
        seen: list[str] = []
        cursor = ""
        while True:
            more = {"cursor": cursor} if cursor else {}
            page = (await http.get("/v0.1/servers", params={"limit": "50", "version": "latest", **more})).json()
            seen += [each["server"]["name"] for each in page["servers"]]
            assert all(
                each["_meta"]["io.modelcontextprotocol.registry/official"]["isLatest"] for each in page["servers"]
            )
            if not (cursor := page["metadata"].get("nextCursor", "")):
                break
        assert len(set(seen)) == len(seen) == 61
        for name in seen[:3]:
            for path in (quote(name, safe=""), name):
                one = await http.get(f"/v0.1/servers/{path}/versions/latest")
                assert one.json()["server"]["name"] == name
                version = one.json()["server"]["version"]
                assert (await http.get(f"/v0.1/servers/{path}/versions/{quote(version)}")).json() == one.json()
        found = (await http.get("/v0.1/servers?limit=50&version=latest&search=prometheus")).json()
        assert [each["server"]["title"] for each in found["servers"]] == ["Prometheus"]

        headers = {"Origin": "https://github.com", "Access-Control-Request-Headers": "authorization,content-type"}
        asked = {**headers, "Access-Control-Request-Method": "GET"}
        for answer in (
            await http.options("/v0.1/servers", headers=asked),
            await http.get("/v0.1/servers", headers={"Origin": "https://github.com"}),
            await http.get(f"/v0.1/servers/{quote(seen[0], safe='')}/versions/latest", headers=headers),
        ):
            assert answer.headers["access-control-allow-origin"] == "*"
            assert {"GET", "OPTIONS"} <= set(answer.headers["access-control-allow-methods"].split(", "))
            assert {"Authorization", "Content-Type"} <= set(answer.headers["access-control-allow-headers"].split(", "))
