"""The administrative tools: who may, what would go, and what went."""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from kmcp_prometheus.server import SERVER
from kmcp_prometheus.settings import PrometheusSettings
from tests.asked import refused_as_changed, yes_after
from tests.mcp import ToolCaller
from tests.patience import patient
from tests.prometheus import known, program
from tests.prometheus.conftest import Binaries, connect

SNAPSHOT, DELETE, CLEAN = (
    "prometheus_create_snapshot_tool",
    "prometheus_delete_series_tool",
    "prometheus_clean_tombstones_tool",
)
SPAN = {"start": known.BEGIN, "end": known.END}


@pytest.fixture(scope="module")
def spoilt(binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Any]]:
    """The URL and directory of a Prometheus whose data may go."""
    directory = tmp_path_factory.mktemp("spoilt")
    program.with_known_data(binaries, directory)
    with program.running(binaries, directory, program.EMPTY, "--web.enable-admin-api") as url:
        yield url, directory


@pytest.fixture
async def admin(spoilt: tuple[str, Any]) -> AsyncIterator[ToolCaller]:
    async with connect(prometheus_url=spoilt[0], prometheus_admin=True) as caller:
        yield caller


async def count(caller: ToolCaller, metric: str, at: int = known.END) -> int:
    return len((await caller.ok("prometheus_query_tool", query=metric, time=at))["items"])


@pytest.mark.parametrize(
    ("tool", "arguments"), [(SNAPSHOT, {}), (DELETE, {"match": ["doomed_not"], **SPAN}), (CLEAN, {})]
)
@pytest.mark.parametrize("dry_run", [True, False])
async def test_both_switches_are_needed_and_the_missing_one_is_named(
    prometheus: str, plain_prometheus: str, tool: str, arguments: dict[str, Any], dry_run: bool
) -> None:
    async with connect(prometheus_url=prometheus) as caller:
        error = await caller.fails(tool, dry_run=dry_run, **arguments)
        assert error["code"] == "denied"
        assert "PROMETHEUS_ADMIN=true" in error["hint"]
    async with connect(prometheus_url=plain_prometheus, prometheus_admin=True) as caller:
        error = await caller.fails(tool, dry_run=dry_run, **arguments)
        assert error["code"] == "unavailable"
        assert error["message"] == "admin APIs disabled"
        assert "--web.enable-admin-api" in error["hint"]


async def test_a_snapshot_is_on_disk(admin: ToolCaller, spoilt: tuple[str, Any]) -> None:
    snapshots = spoilt[1] / "data" / "snapshots"
    answer = await admin.ok(SNAPSHOT, dry_run=True)
    assert answer["dry_run"] is True
    assert not snapshots.exists()
    answer = await admin.ok(SNAPSHOT, skip_head=True)
    assert answer["directory"] == f"snapshots/{answer['name']}"
    blocks = [path.name for path in (spoilt[1] / "data" / answer["directory"]).iterdir()]
    assert len(blocks) >= 2


async def test_a_dry_run_counts_and_deletes_nothing(admin: ToolCaller) -> None:
    answer = await admin.ok(DELETE, match=["doomed_not", "wide"], dry_run=True, **SPAN)
    assert (answer["deleted"], answer["dry_run"]) == (False, True)
    assert (answer["matched_series"], answer["more"]) == (10_000, True)
    answer = await admin.ok(DELETE, match=["doomed_not", 'shop_requests_total{code="200"}'], dry_run=True, **SPAN)
    assert answer["metrics"] == {"shop_requests_total": 2, "doomed_not": 1}
    assert answer["matched_series"] == 3
    assert "more" not in answer
    assert await count(admin, "doomed_not") == 1


async def test_only_what_was_named_goes_and_only_in_its_time(admin: ToolCaller) -> None:
    half = known.at(60)
    answer = await admin.ok(DELETE, match=["doomed_half"], start=known.BEGIN, end=half)
    assert (answer["deleted"], answer["matched_series"]) == (True, 1)
    assert (answer["start"], answer["end"]) == (known.BEGIN, half)
    assert "stays on disk" in answer["note"]
    assert await count(admin, "doomed_half", half) == 0
    assert await count(admin, "doomed_half") == 1
    assert await count(admin, "doomed_whole") == 1


async def test_tombstones_are_shown_and_freed(admin: ToolCaller) -> None:
    await admin.ok(DELETE, match=["doomed_whole"], **SPAN)
    assert await count(admin, "doomed_whole") == 0
    plan = await admin.ok(CLEAN, dry_run=True)
    assert sum(block["tombstones"] for block in plan["blocks"]) >= 1
    assert plan["cleaned"] is False
    answer = await admin.ok(CLEAN)
    assert answer["cleaned"] is True
    assert answer["duration_ms"] > 0
    assert (await admin.ok(CLEAN, dry_run=True))["blocks"] == []
    assert await count(admin, "doomed_not") == 1


async def test_nothing_that_matches_is_nothing_deleted(admin: ToolCaller) -> None:
    answer = await admin.ok(DELETE, match=["doomed_never"], **SPAN)
    assert (answer["matched_series"], answer["deleted"]) == (0, False)
    assert "nothing is deleted" in answer["hint"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"match": ["doomed_not"], "end": "now"}, "start: required"),
        ({"match": ["doomed_not"], "start": "now-1h"}, "end: required"),
        ({"match": ["doomed_not"], "start": "now", "end": "now-1h"}, "after end"),
        ({"match": ["{}"], **SPAN}, "non-empty matcher"),
        ({"match": ['{__name__=~".+"}'], **SPAN}, "would read every series"),
        ({"match": [], **SPAN}, "match: empty"),
    ],
)
async def test_never_the_whole_history(admin: ToolCaller, arguments: dict[str, Any], message: str) -> None:
    error = await admin.fails(DELETE, **arguments)
    assert error["code"] == "bad_argument"
    assert message in error["message"]


async def test_deletion_waits_for_a_yes(spoilt: tuple[str, Any]) -> None:
    settings = {"prometheus_url": spoilt[0], "prometheus_admin": True}
    arguments = {"match": ["shop_queue_limit"], "start": "now-30d", "end": "now"}
    async with connect(patient(), **settings) as caller:
        error = await caller.fails(DELETE, **arguments)
        assert error["code"] == "approval_required"
        assert error["plan"]["metrics"] == {"shop_queue_limit": 1}
        assert await count(caller, "shop_queue_limit") == 1
        answer = await caller.ok(DELETE, **arguments, approval=error["approval"])
        assert answer["deleted"] is True
        assert await count(caller, "shop_queue_limit") == 0


@pytest.mark.parametrize(("tool", "meant", "others"), [(DELETE, "doomed_not", "doomed_not"), (CLEAN, None, "wide")])
async def test_A4_a_yes_is_for_the_series_and_tombstones_of_its_plan(
    spoilt: tuple[str, Any], tool: str, meant: str | None, others: str
) -> None:
    settings = PrometheusSettings(prometheus_url=spoilt[0], prometheus_admin=True)

    async def meanwhile() -> None:
        async with connect(prometheus_url=spoilt[0], prometheus_admin=True) as other:
            await other.ok(DELETE, match=[others], **SPAN)

    async with yes_after(SERVER, settings, meanwhile) as caller:
        await refused_as_changed(caller, tool, **({"match": [meant], **SPAN} if meant else {}))


async def test_a_read_only_server_has_none_of_them(prometheus: str) -> None:
    async with connect(patient(read_only=True), prometheus_url=prometheus, prometheus_admin=True) as caller:
        names = {tool.name for tool in await caller.client.list_tools()}
        assert not {SNAPSHOT, DELETE, CLEAN} & names
        assert len(names) == 19
        assert re.search("read-only", (await caller.fails(CLEAN))["message"])
