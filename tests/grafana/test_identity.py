"""How the server knows its identity, its organisation, and which APIs there are."""

from pathlib import Path

from tests.grafana.conftest import as_service_account, connected
from tests.grafana.every_action import DASHBOARD
from tests.grafana.standin import StandIn
from tests.grafana.standin.identity import ADMIN_TOKEN, EDITOR_TOKEN
from tests.grafana.world import World


async def test_a_token_comes_from_a_file_and_is_read_anew(
    address: str, grafana: StandIn, world: World, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("glsa_wrong-token-000000000000\n")
    settings = {**as_service_account(""), "grafana_token": None, "grafana_token_file": str(file)}
    async with connected(address, **settings) as caller:
        assert (await caller.fails(DASHBOARD, action="search"))["code"] == "forbidden"
        file.write_text(f"{EDITOR_TOKEN}\n")
        assert (await caller.ok(DASHBOARD, action="search"))["returned"] == 1


async def test_the_organisation_is_sent_with_each_request(address: str, grafana: StandIn, world: World) -> None:
    async with connected(address, grafana_org_id=2) as caller:
        assert (await caller.ok("grafana_org_management", action="get_current"))["item"]["name"] == "Second Org."
        assert (await caller.ok(DASHBOARD, action="search"))["items"] == []
    async with connected(address, **as_service_account(ADMIN_TOKEN), grafana_org_id=2) as caller:
        assert (await caller.fails(DASHBOARD, action="search"))["code"] == "forbidden"


async def test_the_newer_api_is_asked_for_once(address: str, grafana: StandIn, world: World) -> None:
    async with connected(address) as caller:
        for _ in range(3):
            await caller.ok(DASHBOARD, action="get", uid="web")
    assert grafana.accepted.count("GET /apis") == 1
