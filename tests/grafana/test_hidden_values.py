"""Secrets in what Grafana holds: never shown, and kept where a caller sends back what was shown (L10, L14, R1)."""

import json

from tests.grafana.every_action import ALERT, DASHBOARD, SOURCE
from tests.grafana.world import World
from tests.mcp import ToolCaller

VALUE = "Zq7planted9Xw"
POINT = {
    "url": f"https://hooks.example.com/a?sig={VALUE}&v=1",
    "integrationKey": f"{VALUE}-key",
    "message": f"see https://x.example.com/send?a=1&key={VALUE}",
    "httpMethod": "POST",
}


def plant(world: World) -> None:
    world.main.points["hook"] = {
        "uid": "hook",
        "name": "On call",
        "type": "webhook",
        "provenance": "",
        "settings": dict(POINT),
    }
    world.main.datasources["loki"]["jsonData"] = {
        "httpHeaderName1": "X-Key",
        "sigV4AccessKey": VALUE,
        "tlsSkipVerify": True,
        "url": f"https://u:{VALUE}@logs",
    }


async def test_L10_contact_points_and_data_sources_show_no_secret(tools: ToolCaller, world: World) -> None:
    plant(world)
    shown = [
        await tools.ok(ALERT, action="get_contact_points"),
        await tools.ok(SOURCE, action="get", uid="loki"),
        await tools.ok(ALERT, action="update_contact_point", uid="hook", spec={"settings": {"httpMethod": "PUT"}}),
        await tools.ok(SOURCE, action="update", uid="loki", spec={"jsonData": {"tlsSkipVerify": False}}),
    ]
    assert VALUE not in json.dumps(shown)
    assert shown[0]["items"][0]["settings"]["httpMethod"] == "POST"
    assert shown[1]["item"]["jsonData"]["httpHeaderName1"] == "X-Key"


async def test_R1_a_contact_point_comes_back_as_it_was_shown(tools: ToolCaller, world: World) -> None:
    plant(world)
    settings = (await tools.ok(ALERT, action="get_contact_points"))["items"][0]["settings"]
    spec = {"settings": {**settings, "httpMethod": "PUT"}}
    answer = await tools.ok(ALERT, action="update_contact_point", uid="hook", spec=spec)
    assert world.main.points["hook"]["settings"] == {**POINT, "httpMethod": "PUT"}
    assert VALUE not in json.dumps(answer)
    changed = [line for line in answer["diff"].splitlines() if line[:1] in "+-" and line[1:3] == "  "]
    assert [line.split(":")[0][1:].strip() for line in changed] == ["httpMethod", "httpMethod"]
    moved = {"settings": {"message": settings["message"].replace("x.example", "evil.example")}}
    failed = await tools.fails(ALERT, action="update_contact_point", uid="hook", spec=moved)
    assert "spec.settings.message is not the real value" in failed["message"]
    created = {"name": "New", "type": "webhook", "settings": settings}
    assert (await tools.fails(ALERT, action="create_contact_point", spec=created))["code"] == "bad_argument"


async def test_R1_a_data_source_comes_back_as_it_was_shown(tools: ToolCaller, world: World) -> None:
    plant(world)
    before = dict(world.main.datasources["loki"]["jsonData"])
    shown = (await tools.ok(SOURCE, action="get", uid="loki"))["item"]["jsonData"]
    await tools.ok(SOURCE, action="update", uid="loki", spec={"jsonData": {**shown, "tlsSkipVerify": False}})
    assert world.main.datasources["loki"]["jsonData"] == {**before, "tlsSkipVerify": False}
    moved = {"jsonData": {"tlsCACert": shown["sigV4AccessKey"]}}
    failed = await tools.fails(SOURCE, action="update", uid="loki", spec=moved)
    assert "spec.jsonData.tlsCACert is not the real value" in failed["message"]


async def test_R1_a_dashboard_comes_back_as_it_was_shown(tools: ToolCaller, world: World) -> None:
    text = f"first\ncurl -u admin:{VALUE} https://x.example.com\n"
    operations = [{"op": "add", "path": "/description", "value": text}]
    await tools.ok(DASHBOARD, action="update", uid="web", spec={"operations": operations})
    model = (await tools.ok(DASHBOARD, action="get", uid="web", path="/description"))["item"]["value"]
    assert VALUE not in model
    kept = {"operations": [{"op": "replace", "path": "/description", "value": model}]}
    again = await tools.ok(DASHBOARD, action="update", uid="web", spec=kept)
    assert again["changed"] is False
    moved = {"operations": [{"op": "replace", "path": "/title", "value": model}]}
    failed = await tools.fails(DASHBOARD, action="update", uid="web", spec=moved)
    assert "in place of a secret" in failed["message"]
