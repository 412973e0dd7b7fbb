"""One story: a folder and a dashboard are made, found, patched, fought over, looked back on, and deleted.

Told to a real Grafana where a container engine runs, and everywhere to the stand-in, as version 13 and as version 11.
"""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.grafana import real
from tests.grafana.conftest import connected
from tests.grafana.standin import StandIn
from tests.grafana.world import MODEL
from tests.mcp import ToolCaller

DASHBOARD, FOLDER = "grafana_dashboard_management", "grafana_folder_management"
RENAME = {"operations": [{"op": "replace", "path": "/title", "value": "Payments, renamed"}], "message": "a better name"}


@pytest.fixture(scope="session")
def grafana_in_a_container() -> Iterator[str]:
    try:
        with real.started() as address:
            yield address
    except real.NoEngine as reason:
        pytest.skip(f"no container engine for a real Grafana: {reason}")


@pytest.fixture(params=["current", "older", "real"])
def told_to(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def older(told_to: str) -> bool:
    return told_to == "older"


@pytest.fixture
def place(told_to: str, address: str, request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("grafana_in_a_container")) if told_to == "real" else address


@pytest.fixture
async def teller(place: str, grafana: StandIn) -> AsyncIterator[ToolCaller]:
    async with connected(place) as caller:
        yield caller


async def test_create_search_patch_conflict_delete(teller: ToolCaller) -> None:
    folder = (await teller.ok(FOLDER, action="create", spec={"title": "Payments team"}))["item"]["uid"]
    uid, version = await _made_and_found(teller, folder)
    await _patched(teller, folder, uid, version)
    await _fought_over(teller, uid, version)
    await _looked_back_on(teller, uid, version)
    await teller.ok(DASHBOARD, action="delete", uid=uid)
    assert (await teller.fails(DASHBOARD, action="get", uid=uid))["code"] == "not_found"
    await teller.ok(FOLDER, action="delete", uid=folder)
    assert (await teller.fails(FOLDER, action="get", uid=folder))["code"] == "not_found"


async def _made_and_found(teller: ToolCaller, folder: str) -> tuple[str, int]:
    model = {**MODEL, "title": "Payments"}
    made = await teller.ok(DASHBOARD, action="create", spec={"dashboard": model, "folderUid": folder})
    uid, version = made["item"]["uid"], made["item"]["version"]
    assert f"/d/{uid}" in made["url"]
    found = await teller.ok(DASHBOARD, action="search", query="payments", folder_uids=[folder])
    assert [hit["uid"] for hit in found["items"]] == [uid]
    outline = (await teller.ok(DASHBOARD, action="get", uid=uid))["item"]
    assert outline["version"] == version
    assert [panel["title"] for panel in outline["panels"]] == ["Requests", "Latency", "p99"]
    refused = await teller.fails(DASHBOARD, action="create", spec={"dashboard": {**MODEL, "uid": uid}})
    assert refused["code"] == "conflict"
    return uid, version


async def _patched(teller: ToolCaller, folder: str, uid: str, version: int) -> None:
    rehearsed = await teller.ok(DASHBOARD, action="update", uid=uid, spec=RENAME, dry_run=True)
    assert "+  title: Payments, renamed" in rehearsed["diff"]
    assert (await teller.ok(DASHBOARD, action="get", uid=uid, path="/title"))["item"] == {"value": "Payments"}
    patched = await teller.ok(DASHBOARD, action="update", uid=uid, spec=RENAME)
    assert (patched["changed"], patched["item"]["version"]) == (True, version + 1)
    assert (await teller.ok(DASHBOARD, action="get", uid=uid))["item"]["folderUid"] == folder
    again = await teller.ok(DASHBOARD, action="update", uid=uid, spec=RENAME)
    assert (again["changed"], again["result"]) == (False, "unchanged")


async def _fought_over(teller: ToolCaller, uid: str, version: int) -> None:
    spec = {"operations": [{"op": "remove", "path": "/links/0"}]}
    conflict = await teller.fails(DASHBOARD, action="update", uid=uid, version=version, spec=spec)
    assert conflict["code"] == "conflict"
    assert f"it is at version {version + 1}, and you saw version {version}" in conflict["message"]
    assert "overwrite" in conflict["hint"]


async def _looked_back_on(teller: ToolCaller, uid: str, version: int) -> None:
    history = (await teller.ok(DASHBOARD, action="get_versions", uid=uid))["items"]
    assert [row["version"] for row in history] == [version + 1, version]
    assert history[0]["message"] == "a better name"
    difference = await teller.ok(DASHBOARD, action="calculate_diff", uid=uid, version=version)
    assert "+title: Payments, renamed" in difference["diff"]
    await teller.ok(DASHBOARD, action="restore_version", uid=uid, version=version)
    assert (await teller.ok(DASHBOARD, action="get", uid=uid, path="/title"))["item"] == {"value": "Payments"}
