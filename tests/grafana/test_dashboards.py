"""Dashboards: patched by path, in both schemas, against others who write at the same time; outlines and versions."""

from typing import Any

import pytest

from tests.grafana.conftest import connected
from tests.grafana.every_action import DASHBOARD, FOLDER
from tests.grafana.standin import StandIn
from tests.grafana.standin.state import Dashboard
from tests.grafana.world import MODEL, World
from tests.mcp import ToolCaller

VERSIONS = pytest.mark.parametrize("older", [False, True], ids=["current", "older"])


def operations(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"operations": list(steps), **more}


@VERSIONS
async def test_only_what_the_operations_name_changes(
    older: bool, tools: ToolCaller, grafana: StandIn, world: World
) -> None:
    answer = await tools.ok(
        DASHBOARD,
        action="update",
        uid="web",
        spec=operations(
            {"op": "test", "path": "/panels/0/title", "value": "Requests"},
            {"op": "replace", "path": "/panels/0/targets/0/expr", "value": "up"},
            {"op": "add", "path": "/tags/-", "value": "new"},
            {"op": "add", "path": "/panels/0", "value": {"id": 9, "title": "First"}},
            {"op": "move", "from": "/links/0", "path": "/panels/1/link"},
            {"op": "copy", "from": "/refresh", "path": "/timezone"},
            {"op": "remove", "path": "/time"},
            {"op": "add", "path": "/panels/2/panels/0/a~1b", "value": None},
        ),
    )
    assert answer["item"]["version"] == 3
    spec = world.main.dashboards["web"].spec
    assert [panel["id"] for panel in spec["panels"]] == [9, 1, 2]
    assert spec["panels"][1]["targets"][0]["expr"] == "up"
    assert spec["panels"][1]["link"] == MODEL["links"][0]
    assert spec["panels"][2]["panels"][0]["a/b"] is None
    assert (spec["tags"], spec["timezone"], spec["links"]) == (["web", "prod", "new"], "30s", [])
    assert "time" not in spec
    assert spec["templating"] == MODEL["templating"]
    assert world.main.dashboards["web"].folder == "ops", "a patch does not move it"


async def test_operations_do_not_show_what_is_hidden(tools: ToolCaller, grafana: StandIn, world: World) -> None:
    """G3: neither compared, nor carried elsewhere, nor uncovered by another name."""
    spec = world.main.dashboards["web"].spec
    spec["relay"] = {"password": "Zq9vKr27LmTx81pBd"}
    for step in (
        {"op": "test", "path": "/relay/password", "value": "a guess"},
        {"op": "copy", "from": "/relay/password", "path": "/title"},
        {"op": "move", "from": "/relay", "path": "/note"},
        {"op": "move", "from": "/relay/password", "path": "/description"},
    ):
        failed = await tools.fails(DASHBOARD, action="update", uid="web", spec=operations(step), dry_run=True)
        assert "hidden" in failed["message"]
        assert "Zq9vKr27LmTx81pBd" not in str(failed)
    fine = {"op": "replace", "path": "/title", "value": "x"}
    failed = await tools.fails(
        DASHBOARD, action="update", uid="web", spec=operations(fine, {"op": "remove", "path": "/nothing"})
    )
    assert "operations[1] (remove /nothing)" in failed["message"], "by its own number, hidden values or not"


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (
            {"op": "replace", "path": "/panel/0", "value": 1},
            "(replace /panel/0): the document has no 'panel': did you mean panels",
        ),
        (
            {"op": "replace", "path": "/panels/7/title", "value": 1},
            "operations[0] (replace /panels/7/title): /panels has 2 items, and no '7'",
        ),
        ({"op": "replace", "path": "/panels/x", "value": 1}, "no 'x'"),
        ({"op": "remove", "path": "/title/x"}, "/title is \"Web overview\", which has no 'x'"),
        ({"op": "remove", "path": ""}, "the whole document cannot be removed"),
        ({"op": "add", "path": "/tags/0"}, "add needs a value"),
        ({"op": "move", "path": "/x"}, "move needs from"),
        (
            {"op": "test", "path": "/title", "value": "Other"},
            'operations[0] (test /title): the value is "Web overview"',
        ),
        ({"op": "replace", "path": "", "value": 3}, "the result is not a model"),
        ({"op": "replace", "path": "title", "value": 3}, "spec.operations[0].path is wrong: must be a JSON Pointer"),
        ({"op": "replace", "path": "$.panels[0].title", "value": 3}, "must be a JSON Pointer, such as /items/0/name"),
        ({"op": "replace", "path": "/title", "vaule": 3}, "unknown field 'operations[0].vaule'"),
    ],
)
async def test_an_operation_that_cannot_be_done_changes_nothing_and_says_which(
    step: dict[str, Any], told: str, tools: ToolCaller, grafana: StandIn, world: World
) -> None:
    error = await tools.fails(DASHBOARD, action="update", uid="web", spec=operations(step))
    assert error["code"] == "bad_argument"
    assert told in error["message"]
    assert grafana.wrote() == []


@VERSIONS
async def test_somebody_else_saves_between_reading_and_writing(
    older: bool, tools: ToolCaller, grafana: StandIn, world: World
) -> None:
    found = world.main.dashboards["web"]

    def somebody_saves(method: str, path: str) -> None:
        if method in ("PUT", "POST") and found.version == 2:
            found.version = 3

    grafana.arriving = somebody_saves
    change = operations({"op": "replace", "path": "/title", "value": "Mine"})
    error = await tools.fails(DASHBOARD, action="update", uid="web", spec=change)
    assert error["code"] == "conflict"
    assert "it is at version 3, and you saw version 2" in error["message"]
    assert found.spec["title"] == "Web overview"
    answer = await tools.ok(DASHBOARD, action="update", uid="web", version=2, spec={**change, "overwrite": True})
    assert answer["item"]["version"] == 4
    assert found.spec["title"] == "Mine"


@VERSIONS
async def test_a_whole_model_of_an_old_version_is_a_conflict(
    older: bool, tools: ToolCaller, grafana: StandIn, world: World
) -> None:
    model = {**MODEL, "title": "Whole", "version": 1}
    assert (await tools.fails(DASHBOARD, action="update", uid="web", spec={"dashboard": model}))["code"] == "conflict"
    assert grafana.wrote() == []
    await tools.ok(DASHBOARD, action="update", uid="web", spec={"dashboard": {**model, "version": 2}})
    assert world.main.dashboards["web"].spec["title"] == "Whole"
    both = await tools.fails(
        DASHBOARD, action="update", uid="web", spec={"dashboard": model, "operations": [{"op": "remove", "path": "/x"}]}
    )
    assert "cannot be combined" in both["message"]


@VERSIONS
async def test_it_is_moved_to_another_folder_and_to_the_top(older: bool, tools: ToolCaller, world: World) -> None:
    found = world.main.dashboards["web"]
    await tools.ok(DASHBOARD, action="update", uid="web", spec={"folderUid": "inner"})
    assert (found.folder, found.spec["title"]) == ("inner", "Web overview")
    answer = await tools.ok(DASHBOARD, action="update", uid="web", spec={"folderUid": ""})
    assert "-folderUid: inner" in answer["diff"]
    assert found.folder == ""


async def test_a_dashboard_of_the_newer_schema_is_read_and_patched_as_it_is_stored(
    tools: ToolCaller, grafana: StandIn, world: World
) -> None:
    spec = {
        "title": "New schema",
        "tags": ["v2"],
        "links": [],
        "timeSettings": {"from": "now-1h", "to": "now"},
        "variables": [{"kind": "QueryVariable", "spec": {"name": "env", "query": {"spec": {"query": "l(up)"}}}}],
        "elements": {
            "panel-1": {
                "kind": "Panel",
                "spec": {
                    "id": 1,
                    "title": "CPU",
                    "vizConfig": {"kind": "VizConfig", "group": "timeseries"},
                    "data": {
                        "kind": "QueryGroup",
                        "spec": {
                            "queries": [
                                {"kind": "PanelQuery", "spec": {"refId": "A", "query": {"spec": {"expr": "cpu"}}}}
                            ]
                        },
                    },
                },
            }
        },
    }
    world.main.dashboards["v2"] = Dashboard("v2", spec, "", 77, stored="v2")
    outline = (await tools.ok(DASHBOARD, action="get", uid="v2"))["item"]
    assert outline["panels"] == [
        {"element": "panel-1", "id": 1, "title": "CPU", "type": "timeseries", "queries": ["cpu"]}
    ]
    assert outline["variables"] == [{"name": "env", "type": "QueryVariable", "query": "l(up)"}]
    change = operations({"op": "replace", "path": "/elements/panel-1/spec/title", "value": "Processor"})
    await tools.ok(DASHBOARD, action="update", uid="v2", spec=change)
    found = world.main.dashboards["v2"]
    assert found.spec["elements"]["panel-1"]["spec"]["title"] == "Processor"
    made = await tools.ok(DASHBOARD, action="create", spec={"dashboard": {**spec, "title": "Also new"}})
    assert world.main.dashboards[made["item"]["uid"]].stored == "v2"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/panels/0/title", {"value": "Requests"}),
        ("$.panels[0].title", {"value": "Requests"}),
        ("panels[1].panels[0].id", {"value": 3}),
        ("$['panels'][0]['id']", {"value": 1}),
        ("$.panels[*].id", "- 1\n- 2\n"),
        ("/tags", "- web\n- prod\n"),
    ],
)
async def test_a_part_is_read_by_either_kind_of_path(path: str, value: Any, tools: ToolCaller, world: World) -> None:
    assert (await tools.ok(DASHBOARD, action="get", uid="web", path=path))["item"] == value
    assert (await tools.ok(DASHBOARD, action="get_version", uid="web", version=2, path=path))["item"] == value


async def test_a_path_that_is_none_is_refused(tools: ToolCaller, world: World) -> None:
    error = await tools.fails(DASHBOARD, action="get", uid="web", path="$.panels[?(@.id==1)]")
    assert "is not a path" in error["message"]


@pytest.mark.parametrize(
    "path", ["/panels/*/id", "/panels/00", "$.panels[00]", "$.panels[٠]", "/panels/-", "$.title[*]"]
)
async def test_a_path_is_as_strict_as_its_standard(path: str, tools: ToolCaller, world: World) -> None:
    error = await tools.fails(DASHBOARD, action="get", uid="web", path=path)
    assert error["code"] == "bad_argument"


async def test_true_is_not_one(tools: ToolCaller, grafana: StandIn, world: World) -> None:
    """A change of `true` to `1` is one: Grafana's model knows both."""
    world.main.dashboards["web"].spec = {**MODEL, "editable": True}
    wrong = operations({"op": "test", "path": "/editable", "value": 1})
    assert (await tools.fails(DASHBOARD, action="update", uid="web", spec=wrong))["code"] == "bad_argument"
    change = operations({"op": "replace", "path": "/editable", "value": 1})
    assert (await tools.ok(DASHBOARD, action="update", uid="web", spec=change))["changed"] is True
    assert world.main.dashboards["web"].spec["editable"] is not True


async def test_a_huge_dashboard_answers_within_the_budget(tools: ToolCaller, grafana: StandIn, world: World) -> None:
    panels = [
        {
            "id": number,
            "type": "timeseries",
            "title": f"Panel {number}",
            "description": "x" * 400,
            "targets": [{"refId": "A", "expr": f"rate(metric_{number}[5m])"}],
        }
        for number in range(400)
    ]
    world.main.dashboards["web"].spec = {**MODEL, "panels": panels}
    outline = await tools.ok(DASHBOARD, action="get", uid="web")
    assert outline["truncated"] is True
    assert 10 < len(outline["item"]["panels"]) < 400
    whole = await tools.ok(DASHBOARD, action="get", uid="web", path="$")
    assert whole["truncated"] is True
    assert whole["bytes_total"] > 150_000
    assert len(await tools.text(DASHBOARD, action="get", uid="web", path="$")) < 33_000
    change = operations({"op": "replace", "path": "/panels/399/title", "value": "Last"})
    answer = await tools.ok(DASHBOARD, action="update", uid="web", spec=change)
    assert len(answer["diff"].splitlines()) < 12


@VERSIONS
async def test_versions_go_on_by_cursor(older: bool, tools: ToolCaller, world: World) -> None:
    for number in range(5):
        await tools.ok(
            DASHBOARD,
            action="update",
            uid="web",
            spec=operations({"op": "replace", "path": "/title", "value": f"Title {number}"}),
        )
    seen: list[int] = []
    cursor = None
    for _ in range(5):
        page = await tools.ok(DASHBOARD, action="get_versions", uid="web", limit=3, cursor=cursor)
        assert page["returned"] == len(page["items"]) <= 3
        seen += [row["version"] for row in page["items"]]
        cursor = page.get("cursor")
        assert page["truncated"] is (cursor is not None)
        if cursor is None:
            break
    assert seen == [7, 6, 5, 4, 3, 2, 1]
    exactly = await tools.ok(DASHBOARD, action="get_versions", uid="web", limit=7)
    assert (exactly["returned"], exactly["truncated"]) == (7, False)


async def test_two_dashboards_are_compared(tools: ToolCaller, world: World) -> None:
    other = (await tools.ok(DASHBOARD, action="create", spec={"dashboard": {**MODEL, "title": "Copy"}}))["item"]["uid"]
    answer = await tools.ok(DASHBOARD, action="calculate_diff", uid="web", version=2, spec={"uid": other})
    assert answer["item"] == {"base": "web version 2", "other": f"{other} version 1"}
    assert "-title: Web overview\n+title: Copy" in answer["diff"]
    same = await tools.ok(DASHBOARD, action="calculate_diff", uid="web", version=2)
    assert (same["changed"], same["hint"]) == (False, "The two are the same.")


async def test_restoring_what_is_current_changes_nothing(tools: ToolCaller, grafana: StandIn, world: World) -> None:
    answer = await tools.ok(DASHBOARD, action="restore_version", uid="web", version=2)
    assert (answer["changed"], answer["result"]) == (False, "unchanged")
    assert grafana.wrote() == []


@VERSIONS
async def test_folders_are_renamed_moved_and_fought_over(
    older: bool, tools: ToolCaller, grafana: StandIn, world: World
) -> None:
    inner = world.main.folders["inner"]
    answer = await tools.ok(FOLDER, action="update", uid="inner", spec={"title": "Within", "parentUid": ""})
    assert (inner.title, inner.parent, answer["changed"]) == ("Within", "", True)
    await tools.ok(FOLDER, action="update", uid="inner", spec={"parentUid": "ops", "description": "of the team"})
    assert (inner.title, inner.parent, inner.description) == ("Within", "ops", "of the team")
    again = await tools.ok(FOLDER, action="update", uid="inner", spec={"parentUid": "ops"})
    assert again["result"] == "unchanged"
    error = await tools.fails(FOLDER, action="update", uid="inner", spec={"title": "X", "version": 1})
    assert error["code"] == "conflict"
    assert f"it is at version {inner.version}, and you saw version 1" in error["message"]

    def somebody_saves(method: str, path: str) -> None:
        if method == "PUT":
            inner.version += 1

    grafana.arriving = somebody_saves
    error = await tools.fails(FOLDER, action="update", uid="inner", spec={"title": "X"})
    assert error["code"] == "conflict"
    inside = await tools.ok(FOLDER, action="list", parent_uid="ops")
    assert [row["uid"] for row in inside["items"]] == ["inner"]
    assert "no folders in it" in (await tools.ok(FOLDER, action="list", parent_uid="inner"))["hint"]


async def test_another_organisation_has_a_namespace_of_its_own(address: str, grafana: StandIn, world: World) -> None:
    second = world.state.organisations[2]
    async with connected(address, grafana_org_id=2) as caller:
        made = await caller.ok(DASHBOARD, action="create", spec={"dashboard": {"title": "Of the second"}})
        assert [found.spec["title"] for found in second.dashboards.values()] == ["Of the second"]
        link = await caller.ok("grafana_generate_deeplink", target="dashboard", uid=made["item"]["uid"])
        assert "orgId=2" in link["url"]


@VERSIONS
async def test_a_folder_cannot_be_put_into_itself(
    older: bool, tools: ToolCaller, grafana: StandIn, world: World
) -> None:
    for parent in ("ops", "inner"):
        error = await tools.fails(FOLDER, action="update", uid="ops", spec={"parentUid": parent})
        assert (error["code"], "Circular reference" in error["message"]) == ("bad_argument", True)
    assert world.main.folders["ops"].parent == ""


@VERSIONS
@pytest.mark.parametrize(("uid", "why"), [("a b/c", "illegal characters"), ("x" * 41, "too long, max 40")])
async def test_a_uid_that_grafana_refuses_is_explained(
    uid: str, why: str, older: bool, tools: ToolCaller, grafana: StandIn, world: World
) -> None:
    for tool, spec in ((DASHBOARD, {"dashboard": {"title": "x", "uid": uid}}), (FOLDER, {"title": "x", "uid": uid})):
        error = await tools.fails(tool, action="create", spec=spec)
        assert (error["code"], why in error["message"]) == ("bad_argument", True)
    assert grafana.wrote() == []
