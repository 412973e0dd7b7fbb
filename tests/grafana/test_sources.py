"""Data sources and queries."""

from typing import Any

import pytest

from tests.grafana.conftest import as_service_account, connected
from tests.grafana.every_action import SOURCE
from tests.grafana.standin import StandIn
from tests.grafana.standin.identity import EDITOR_TOKEN, VIEWER_TOKEN
from tests.grafana.world import SECRET, World
from tests.mcp import ToolCaller

QUERY = "grafana_query"


async def test_an_update_keeps_what_is_not_named_secure_fields_too(tools: ToolCaller, world: World) -> None:
    answer = await tools.ok(SOURCE, action="update", uid="prom", spec={"jsonData": {"timeInterval": "30s"}})
    after = world.main.datasources["prom"]
    assert after["jsonData"] == {"httpMethod": "POST", "timeInterval": "30s"}
    assert after["secureJsonData"] == {"httpHeaderValue1": f"{SECRET}-header"}
    assert (after["url"], after["isDefault"], after["version"]) == ("http://prom:9090", True, 2)
    assert "+  timeInterval: 30s" in answer["diff"]
    secret = {"secureJsonData": {"basicAuthPassword": f"{SECRET}-new"}, "basicAuth": True, "basicAuthUser": "reader"}
    answer = await tools.ok(SOURCE, action="update", uid="prom", spec=secret)
    assert SECRET not in str(answer)
    assert "basicAuthPassword: '[hidden" in answer["diff"]
    shown = (await tools.ok(SOURCE, action="get", uid="prom"))["item"]
    assert shown["secure_fields_set"] == ["basicAuthPassword", "httpHeaderValue1"]
    again = await tools.ok(SOURCE, action="update", uid="prom", spec={"basicAuthUser": "reader"})
    assert again["changed"] is False


async def test_somebody_else_saves_a_data_source(tools: ToolCaller, grafana: StandIn, world: World) -> None:
    def somebody_saves(method: str, path: str) -> None:
        if method == "PUT":
            world.main.datasources["prom"]["version"] = 5

    grafana.arriving = somebody_saves
    error = await tools.fails(SOURCE, action="update", uid="prom", spec={"url": "http://x"})
    assert (error["code"], "already been updated" in error["message"]) == ("conflict", True)


async def test_one_is_made_tested_and_told_what_uses_it_before_it_goes(tools: ToolCaller, world: World) -> None:
    made = await tools.ok(SOURCE, action="create", spec={"name": "M", "type": "prometheus", "url": "http://m:9090"})
    uid = made["item"]["uid"]
    assert f"action=test uid={uid}" in made["hint"]
    assert (await tools.ok(SOURCE, action="test", uid=uid))["item"]["status"] == "OK"
    bad = (await tools.ok(SOURCE, action="test", uid="sql"))["item"]
    assert bad == {"status": "ERROR", "message": "connection refused"}
    plan = await tools.ok(SOURCE, action="delete", uid="prom", dry_run=True)
    assert plan["item"]["takes_along"] == {"alert_rules_using_it": 1, "dashboards_using_it": 1}
    unused = await tools.ok(SOURCE, action="delete", uid=uid, dry_run=True)
    assert unused["item"]["takes_along"] == {"alert_rules_using_it": 0, "dashboards_using_it": 0}


async def test_what_cannot_be_counted_is_no_obstacle_to_deleting(address: str, grafana: StandIn, world: World) -> None:
    grafana.lacks = frozenset({"/api/v1/provisioning/alert-rules"})
    async with connected(address) as caller:
        plan = await caller.ok(SOURCE, action="delete", uid="prom", dry_run=True)
    assert plan["item"]["takes_along"] == {"dashboards_using_it": 1}


async def test_series_come_as_points_or_in_summary(tools: ToolCaller, grafana: StandIn, world: World) -> None:
    found = await tools.ok(QUERY, query="up", start="2026-11-25T09:00:00Z", end="2026-11-25T10:00:00Z")
    assert (found["datasource"], found["datasource_type"], found["total"]) == ("Prometheus", "prometheus", 3)
    first = found["items"][0]
    assert (first["name"], first["labels"]) == ("up", {"instance": "node-0"})
    assert first["values"] == [[1795597200, 1.0], [1795598100, 2.0], [1795599000, "NaN"], [1795599900, 4.0]]
    short = await tools.ok(QUERY, query="up", mode="summary", limit=2)
    assert short["items"][1] == {
        "name": "up",
        "labels": {"instance": "node-1"},
        "points": 4,
        "not_numbers": 1,
        "min": 2.0,
        "max": 5.0,
        "avg": 10 / 3,
        "last": 5.0,
    }
    assert (short["truncated"], short["returned"], short["total"]) == (True, 2, 3)
    assert "topk" in short["hint"]


async def test_log_lines_come_as_lines(tools: ToolCaller, world: World) -> None:
    found = await tools.ok(QUERY, query='{app="web"}', datasource="Loki", limit=3)
    assert [row["line"] for row in found["items"]] == ["line 0", "line 1", "line 2"]
    assert (found["truncated"], found["items"][0]["labels"]) == (True, {"app": "web"})
    assert "total" not in found, "Loki was asked for one more, and has as many as it is asked for"
    assert "data, not instructions" in await tools.text(QUERY, query='{app="web"}', datasource="loki")


async def test_an_empty_answer_is_explained(tools: ToolCaller, world: World) -> None:
    assert "Nothing matches" in (await tools.ok(QUERY, query="nothing"))["hint"]
    empty = await tools.ok(SOURCE, action="query", uid="prom", spec={"expr": "nothing"})
    assert "returned nothing" in empty["hint"]


async def test_what_the_data_source_says_against_a_query_reaches_the_caller(tools: ToolCaller, world: World) -> None:
    for tool, arguments in (
        (QUERY, {"query": "broken("}),
        (SOURCE, {"action": "query", "uid": "prom", "spec": {"expr": "broken("}}),
    ):
        error = await tools.fails(tool, **arguments)
        assert (error["code"], error["backend"]) == ("bad_argument", "prometheus")
        assert "1:8: parse error" in error["message"]


@pytest.mark.parametrize("token", [VIEWER_TOKEN, EDITOR_TOKEN], ids=["viewer", "editor"])
async def test_who_may_not_read_data_sources_can_query_them(
    token: str, address: str, grafana: StandIn, world: World
) -> None:
    async with connected(address, **as_service_account(token)) as caller:
        assert (await caller.ok(QUERY, query="up"))["datasource"] == "Prometheus", "the default one"
        assert (await caller.ok(QUERY, query="up", datasource="prom"))["returned"] == 3
        assert (await caller.ok(QUERY, query='{app="web"}', datasource="Loki", limit=3))["datasource_type"] == "loki"
        assert (await caller.ok(SOURCE, action="query", uid="prom", spec={"expr": "up"}))["returned"] == 3
        listed = await caller.ok(SOURCE, action="list")
        assert [row["uid"] for row in listed["items"]] == ["sql", "loki", "prom"]
        assert "did you mean prom" in (await caller.fails(QUERY, query="up", datasource="promm"))["message"]
        assert "did you mean prom" in (await caller.fails(SOURCE, action="query", uid="promm", spec={}))["message"]
        error = await caller.fails(SOURCE, action="get", uid="prom")
    assert (error["code"], "datasources:read" in error["hint"]) == ("forbidden", True)


async def test_other_plugins_are_queried_in_their_own_fields(tools: ToolCaller, world: World) -> None:
    rows = await tools.ok(SOURCE, action="query", uid="sql", spec={"rawSql": "select 1", "format": "table"})
    assert rows["items"] == [{"id": 1, "who": "a"}, {"id": 2, "who": "b"}]
    frames = await tools.ok(SOURCE, action="query", uid="prom", spec={"expr": "up", "range": True})
    assert frames["returned"] == 3
    assert frames["items"][0]["columns"] == ["Time", "Value{__name__=up, instance=node-0}"]
    error = await tools.fails(QUERY, query="select 1", datasource="Billing")
    assert error["code"] == "bad_argument"
    assert "action=query uid=sql" in error["hint"]


@pytest.mark.parametrize(
    ("uid", "spec"),
    [
        ("sql", {"rawSql": "DROP TABLE orders"}),
        ("sql", {"rawSql": "select 1", "format": "table"}),
        ("sql", {"anything": 1}),
        ("prom", {"expr": "up", "rawSql": "select 1"}),
    ],
)
async def test_D3_a_query_that_is_not_known_to_read_needs_a_yes(
    address: str, grafana: StandIn, world: World, uid: str, spec: dict[str, str]
) -> None:
    async with connected(address, {"approval": "plan"}) as caller:
        call = {"action": "query", "uid": uid, "spec": spec}
        asked = await caller.fails(SOURCE, **call)
        assert asked["code"] == "approval_required"
        assert "may do anything there" in asked["plan"]["destroys"][0]
        assert "POST /api/ds/query" not in grafana.accepted
        rehearsed = await caller.fails(SOURCE, **call, dry_run=True)
        assert "a dry run does not do this" in rehearsed["message"]
        assert "POST /api/ds/query" not in grafana.accepted
        await caller.client.call_tool(SOURCE, {**call, "approval": asked["approval"]}, raise_on_error=False)
        assert grafana.accepted[-1] == "POST /api/ds/query"
        assert (await caller.ok(SOURCE, action="query", uid="prom", spec={"expr": "up"}))["returned"] == 3


async def test_D3_the_mode_of_approval_holds_for_queries(address: str, world: World, grafana: StandIn) -> None:
    async with connected(address, {"approval": "off"}) as caller:
        assert (await caller.ok(SOURCE, action="query", uid="sql", spec={"rawSql": "select 1"}))["items"]
    async with connected(address, {"approval": "ask"}) as caller:
        refused = await caller.fails(SOURCE, action="query", uid="sql", spec={"rawSql": "select 1"})
        assert refused["code"] == "denied"


async def test_a_language_that_can_write_is_not_spoken_in_read_only_mode(
    address: str, grafana: StandIn, world: World
) -> None:
    async with connected(address, {"read_only": True}) as caller:
        error = await caller.fails(SOURCE, action="query", uid="sql", spec={"rawSql": "drop table x"})
        assert (error["code"], "POST /api/ds/query" in grafana.accepted) == ("denied", False)
        assert (await caller.ok(SOURCE, action="query", uid="prom", spec={"expr": "up"}))["returned"] == 3
        assert (await caller.ok(QUERY, query="up"))["returned"] == 3


@pytest.mark.parametrize(
    ("frame", "items"),
    [
        (
            {
                "schema": {"fields": [{"name": "v", "type": "number"}]},
                "data": {"values": [[None, 0]], "entities": [{"Inf": [0]}]},
            },
            [{"v": "+Inf"}, {"v": 0}],
        ),
        (
            {
                "schema": {"fields": [{"name": "v", "type": "number"}, {"name": "v", "type": "number"}]},
                "data": {"values": [[1], [2]]},
            },
            [{"columns": ["v", "v"], "rows": [[1, 2]]}],
        ),
        ({"schema": {"fields": []}, "data": {"values": []}}, []),
    ],
)
def test_frames_become_rows(frame: dict[str, Any], items: list[Any]) -> None:
    from kmcp_grafana.datasources import queries

    found = queries.rows_of([queries._frame(frame)])
    assert found == items or (items == [] and found == [])
