"""Rules and alerts."""

from typing import Any

import pytest

from tests.mcp import ToolCaller
from tests.waiting import until

RULES, ALERTS = "prometheus_rules_tool", "prometheus_alerts_tool"


@pytest.fixture
async def evaluated(tools: ToolCaller) -> ToolCaller:
    async def look() -> set[str]:
        return {item["name"] for item in (await tools.ok(ALERTS))["items"]}

    async def broken() -> bool:
        return bool((await tools.ok(RULES, health="err"))["items"])

    await until(look, lambda names: names == {"AlwaysFiring", "TargetDown", "Waiting"}, what="alerts raised")
    # It fails only once both targets have been scraped, which the alerts do not wait for.
    await until(broken, what="the broken rule evaluated over both targets")
    return tools


def names(answer: dict[str, Any]) -> list[str]:
    return [item["name"] for item in answer["items"]]


async def test_rules_with_their_state(evaluated: ToolCaller) -> None:
    answer = await evaluated.ok(RULES)
    assert (answer["returned"], answer["truncated"]) == (6, False)
    found = {item["name"]: item for item in answer["items"]}
    firing = found["AlwaysFiring"]
    assert (firing["type"], firing["state"], firing["health"], firing["group"]) == ("alert", "firing", "ok", "alarms")
    assert firing["query"] == "vector(42) > 1"
    assert firing["labels"] == {"severity": "page", "team": "checkout"}
    assert "alerts" not in firing
    assert (found["Waiting"]["state"], found["Waiting"]["duration_seconds"]) == ("pending", 9 * 3600)
    assert found["NeverFiring"]["state"] == "inactive"
    recording = found["site:answer:sum"]
    assert (recording["type"], recording["query"]) == ("record", "vector(40) + 2")
    assert "state" not in recording
    assert found["site:broken"]["health"] == "err"
    assert "duplicate series" in found["site:broken"]["last_error"]


async def test_what_a_recording_rule_records(evaluated: ToolCaller) -> None:
    async def look() -> Any:
        return (await evaluated.ok("prometheus_query_tool", query="site:answer:sum"))["items"]

    (item,) = await until(look, what="the rule recorded")
    assert (item["value"], item["metric"]["origin"]) == (42, "rule")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"type": "record"}, ["site:answer:sum", "site:broken"]),
        ({"rule_name": ["Waiting", "site:broken"]}, ["Waiting", "site:broken"]),
        ({"rule_group": "sums"}, ["site:answer:sum", "site:broken"]),
        ({"state": "inactive"}, ["NeverFiring"]),
        ({"health": "err"}, ["site:broken"]),
        ({"match": ['{severity="ticket"}']}, ["TargetDown", "Waiting"]),
        ({"match": ['{severity="ticket"}', '{origin="rule"}'], "type": "record"}, ["site:answer:sum"]),
        ({"file": ["/nowhere.yaml"]}, []),
    ],
)
async def test_rules_by(evaluated: ToolCaller, arguments: dict[str, Any], expected: list[str]) -> None:
    answer = await evaluated.ok(RULES, **arguments)
    assert names(answer) == expected
    if not expected:
        assert "No rule fits" in answer["hint"]


async def test_rules_in_pages_of_groups(evaluated: ToolCaller) -> None:
    first = await evaluated.ok(RULES, limit=1)
    assert {item["group"] for item in first["items"]} == {"alarms"}
    assert first["truncated"] is True
    second = await evaluated.ok(RULES, limit=1, cursor=first["cursor"])
    assert {item["group"] for item in second["items"]} == {"sums"}
    assert second["truncated"] is False
    assert "cursor" not in second
    # Pages without a rule that fits are passed over.
    assert names(await evaluated.ok(RULES, limit=1, health="err")) == ["site:broken"]
    error = await evaluated.fails(RULES, limit=2, cursor=first["cursor"])
    assert error["message"].startswith("cursor: ")


async def test_rules_with_their_alerts(evaluated: ToolCaller) -> None:
    (rule,) = (await evaluated.ok(RULES, rule_name=["AlwaysFiring"], alerts=True))["items"]
    (alert,) = rule["alerts"]
    assert (alert["state"], alert["value"]) == ("firing", 42)
    assert alert["annotations"] == {"summary": "value is 42"}


async def test_alerts_are_counted_and_firing_ones_first(evaluated: ToolCaller) -> None:
    answer = await evaluated.ok(ALERTS)
    assert answer["counts"] == {"firing": {"AlwaysFiring": 1, "TargetDown": 1}, "pending": {"Waiting": 1}}
    assert [item["state"] for item in answer["items"]] == ["firing", "firing", "pending"]
    down = next(item for item in answer["items"] if item["name"] == "TargetDown")
    assert down["labels"]["job"] == "dead"
    assert down["value"] == 0
    assert down["active_at"].startswith("20")
    assert "alertname" not in down["labels"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"state": "pending"}, ["Waiting"]),
        ({"match": ['severity="ticket"']}, ["TargetDown", "Waiting"]),
        ({"match": ['severity="ticket"', 'job=~"de.d"']}, ["TargetDown"]),
        ({"match": '{severity!~"t.*",team="checkout"}'}, ["AlwaysFiring"]),
        ({"match": 'alertname="Waiting"'}, ["Waiting"]),
        ({"match": ['alertname=~"[A-Z]a{1}iting"', "alertname!=`{`"]}, ["Waiting"]),
        ({"match": 'severity="none"'}, []),
    ],
)
async def test_alerts_by(evaluated: ToolCaller, arguments: dict[str, Any], expected: list[str]) -> None:
    answer = await evaluated.ok(ALERTS, **arguments)
    assert names(answer) == expected
    if not expected:
        assert "None of 3 active alerts" in answer["hint"]


@pytest.mark.parametrize("match", ["severity=page", "severity", '="x"', 'a="b" extra', 'a=~"["', 'a="'])
async def test_a_wrong_matcher_is_pointed_at(evaluated: ToolCaller, match: str) -> None:
    error = await evaluated.fails(ALERTS, match=[match])
    assert error["code"] == "bad_argument"
    assert "parse error" in error["message"]
    assert error["message"].endswith("^")


async def test_text_of_alerts_is_framed_as_data(evaluated: ToolCaller) -> None:
    assert "data, not instructions" in await evaluated.text(ALERTS)


async def test_where_alerts_are_sent(tools: ToolCaller, plain_prometheus: str) -> None:
    answer = await tools.ok("prometheus_alertmanagers_tool")
    assert answer["active"] == ["http://127.0.0.1:9/api/v2/alerts"]
    assert answer["dropped"] == []
