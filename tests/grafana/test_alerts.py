"""Alert rules, contact points and policies; states and silences."""

from datetime import UTC, datetime

import pytest

from tests.grafana.every_action import ALERT
from tests.grafana.standin import StandIn
from tests.grafana.world import SECRET, World
from tests.mcp import ToolCaller

STATE = "grafana_alert_state"


async def test_the_last_state_may_be_kept(tools: ToolCaller, world: World) -> None:
    """G5: without data and after errors, too."""
    spec = {"noDataState": "KeepLast", "execErrState": "KeepLast"}
    await tools.ok(ALERT, action="update_rule", uid="errors", spec=spec)
    rule = world.main.rules["errors"]
    assert (rule["noDataState"], rule["execErrState"]) == ("KeepLast", "KeepLast")


async def test_a_rule_is_made_with_defaults_and_changed_over_what_it_is(tools: ToolCaller, world: World) -> None:
    query = {"refId": "A", "datasourceUid": "prom", "relativeTimeRange": {"from": 600, "to": 0}, "model": {"expr": "x"}}
    spec = {"title": "New", "folderUID": "ops", "ruleGroup": "web", "condition": "A", "data": [query]}
    uid = (await tools.ok(ALERT, action="create_rule", spec=spec))["item"]["uid"]
    made = world.main.rules[uid]
    assert (made["noDataState"], made["execErrState"], made["for"], made["orgID"]) == ("NoData", "Error", "5m", 1)
    answer = await tools.ok(ALERT, action="update_rule", uid=uid, spec={"for": "1m", "labels": {"team": "web"}})
    assert "-for: 5m\n+for: 1m" in answer["diff"]
    assert {**made, **world.main.rules[uid]} == {**world.main.rules[uid]}
    assert world.main.rules[uid]["data"] == [query]
    again = await tools.ok(ALERT, action="update_rule", uid=uid, spec={"for": "1m"})
    assert again["changed"] is False
    group = await tools.ok(ALERT, action="get_rule_group", folder_uid="ops", group="web")
    assert {rule["title"] for rule in group["items"]} == {"New", "High error rate"}
    assert [rule["title"] for rule in (await tools.ok(ALERT, action="get_rules", name="high"))["items"]] == [
        "High error rate"
    ]
    assert "No rule matches" in (await tools.ok(ALERT, action="get_rules", group="none"))["hint"]


async def test_a_secure_setting_stays_when_it_is_not_named_and_is_never_shown(tools: ToolCaller, world: World) -> None:
    answer = await tools.ok(ALERT, action="update_contact_point", uid="hook", spec={"settings": {"recipient": "#web"}})
    stored = world.main.points["hook"]["settings"]
    assert stored == {"url": f"https://hooks.example/{SECRET}", "recipient": "#web"}
    assert "-  recipient: '#ops'\n+  recipient: '#web'" in answer["diff"]
    new = {"settings": {"url": f"https://hooks.example/{SECRET}-2"}}
    answer = await tools.ok(ALERT, action="update_contact_point", uid="hook", spec=new)
    assert world.main.points["hook"]["settings"]["url"].endswith("-2")
    assert SECRET not in str(answer)
    assert "+  url: '[hidden:" in answer["diff"]
    shown = await tools.ok(ALERT, action="get_contact_points")
    assert shown["items"][0]["settings"]["url"] == "[REDACTED]"


async def test_the_policy_tree_is_replaced_and_the_difference_told(tools: ToolCaller, world: World) -> None:
    routes = [{"receiver": "On call", "object_matchers": [["severity", "=", "critical"]]}]
    answer = await tools.ok(
        ALERT,
        action="update_notification_policies",
        spec={"receiver": "grafana-default-email", "group_by": ["alertname"], "routes": routes},
    )
    assert "+routes:" in answer["diff"]
    assert world.main.policies["routes"] == routes
    in_use = await tools.fails(ALERT, action="delete_contact_point", uid="hook")
    assert (in_use["code"], "used by a notification policy" in in_use["message"]) == ("conflict", True)


async def test_a_mute_timing_is_deleted_at_the_version_that_was_read(
    tools: ToolCaller, grafana: StandIn, world: World
) -> None:
    def somebody_changes(method: str, path: str) -> None:
        if method == "DELETE":
            world.main.timings["nights"]["version"] = "v2"

    grafana.arriving = somebody_changes
    error = await tools.fails(ALERT, action="delete_mute_timing", name="nights")
    assert error["code"] == "conflict"
    assert "nights" in world.main.timings


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ({"state": "firing", "alerts": [{"state": "Alerting", "activeAt": "2026-11-25T09:00:00Z"}]}, "firing"),
        ({"state": "pending"}, "pending"),
        ({}, "normal"),
        ({"health": "nodata"}, "nodata"),
        ({"health": "error", "lastError": "timed out"}, "error"),
    ],
)
async def test_rules_are_told_by_state(told: dict[str, object], state: str, tools: ToolCaller, world: World) -> None:
    world.main.states["errors"] = told
    found = await tools.ok(STATE, action="rules", state=state)
    assert [(row["name"], row["state"]) for row in found["items"]] == [("High error rate", state)]
    if state == "firing":
        assert (found["items"][0]["instances"], found["items"][0]["since"]) == (1, "2026-11-25T09:00:00Z")
    other = "normal" if state != "normal" else "firing"
    assert f"No rule is {other}; rules in all: 1" in (await tools.ok(STATE, action="rules", state=other))["hint"]
    assert (await tools.ok(STATE, action="rules", folder_uid="inner"))["items"] == []


MATCHERS = {
    'severity="critical"': ("severity", "critical"),
    " severity = critical ": ("severity", "critical"),
    'summary="disk \\"sda\\" is full"': ("summary", 'disk "sda" is full'),
    r"path=C:\\data": ("path", r"C:\data"),
    r'path="C:\\data"': ("path", r"C:\data"),
    r"instance=10\.0": ("instance", r"10\.0"),
    r'text="two\nlines"': ("text", "two\nlines"),
    "text=two\nlines": ("text", "two\nlines"),
    "team=": ("team", ""),
    "query=a=b": ("query", "a=b"),
    "name='web'": ("name", "'web'"),
    ":job=web": (":job", "web"),
    '"k8s.pod.name"=web': ("k8s.pod.name", "web"),
    "k8s.pod.name=web": ("k8s.pod.name", "web"),
}
"""What Alertmanager (pkg/labels, and its UTF-8 names) reads of each."""
NO_MATCHERS = ('a="b', 'a=b"', 'a="b"c', 'a="b",c="d"', '{a="b"}', 'a="\\"', "alertname", "=b", '""=b')


async def test_matchers_are_read_as_alertmanager_reads_them(tools: ToolCaller, world: World) -> None:
    async def silence(*matchers: str) -> str:
        args = {"action": "create_silence", "end": "now+2h", "comment": "planned", "matchers": [*matchers]}
        made = await tools.ok(STATE, **args)
        return str(made["item"]["silenceID"])

    first = await silence(*MATCHERS)
    kept = world.main.silences[first]["matchers"]
    assert [(each["name"], each["value"]) for each in kept] == [*MATCHERS.values()]
    listed = {row["id"]: row["matchers"] for row in (await tools.ok(STATE, action="silences"))["items"]}
    # What is shown of a matcher is one that can be given again.
    assert world.main.silences[await silence(*listed[first])]["matchers"] == kept
    for text in NO_MATCHERS:
        refused = await tools.fails(STATE, action="alerts", matchers=[text])
        assert "is not a matcher" in refused["message"], text


async def test_alerts_are_filtered_and_silenced(tools: ToolCaller, world: World) -> None:
    for name in ("HighLoad", "DiskFull"):
        world.main.alerts.append(
            {
                "labels": {"alertname": name, "severity": "critical"},
                "annotations": {"summary": f"{name}!"},
                "startsAt": "2026-11-25T09:00:00Z",
                "status": {"state": "active", "silencedBy": []},
                "fingerprint": name,
            }
        )
    found = await tools.ok(STATE, action="alerts", matchers=["alertname=DiskFull"])
    assert found["items"] == [
        {
            "alert": "DiskFull",
            "state": "active",
            "startsAt": "2026-11-25T09:00:00Z",
            "labels": {"severity": "critical"},
            "summary": "DiskFull!",
        }
    ]
    matchers = ["alertname=DiskFull", 'severity=~"crit.*"', "team!=web"]
    made = await tools.ok(STATE, action="create_silence", matchers=matchers, end="now+2h", comment="disks are on order")
    silence = world.main.silences[made["item"]["silenceID"]]
    assert silence["matchers"] == [
        {"name": "alertname", "value": "DiskFull", "isRegex": False, "isEqual": True},
        {"name": "severity", "value": "crit.*", "isRegex": True, "isEqual": True},
        {"name": "team", "value": "web", "isRegex": False, "isEqual": False},
    ]
    assert datetime.fromisoformat(silence["endsAt"]) > datetime.now(UTC)
    listed = await tools.ok(STATE, action="silences")
    assert {row["id"] for row in listed["items"]} == {"quiet", made["item"]["silenceID"]}
    await tools.ok(STATE, action="expire_silence", silence_id="quiet")
    assert world.main.silences["quiet"]["status"] == {"state": "expired"}
    again = await tools.ok(STATE, action="expire_silence", silence_id="quiet")
    assert again["changed"] is False


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"matchers": ["alertname"], "end": "now+1h", "comment": "x"}, "'alertname' is not a matcher"),
        ({"matchers": [], "end": "now+1h", "comment": "x"}, "a silence needs at least one"),
        ({"matchers": ["a=b"], "end": "now-1h", "comment": "x"}, "end: must be in the future"),
        ({"matchers": ["a=b"], "end": "now+1h"}, "create_silence needs comment"),
    ],
)
async def test_a_silence_that_would_not_work_is_refused(
    arguments: dict[str, object], told: str, tools: ToolCaller, grafana: StandIn, world: World
) -> None:
    error = await tools.fails(STATE, action="create_silence", **arguments)
    assert (error["code"], told in error["message"]) == ("bad_argument", True)
    assert grafana.wrote() == []


@pytest.mark.parametrize(
    ("matcher", "why"),
    [('alertname=~".*"', "must not match the empty string"), ('alertname=~"("', "error parsing regexp")],
)
async def test_a_silence_that_grafana_refuses_is_explained(
    matcher: str, why: str, tools: ToolCaller, world: World
) -> None:
    error = await tools.fails(STATE, action="create_silence", matchers=[matcher], end="now+1h", comment="x")
    assert (error["code"], why in error["message"]) == ("bad_argument", True)


async def test_a_silence_is_rehearsed(tools: ToolCaller, grafana: StandIn, world: World) -> None:
    for arguments in (
        {"action": "create_silence", "matchers": ["a=b"], "end": "now+1h", "comment": "x"},
        {"action": "expire_silence", "silence_id": "quiet"},
    ):
        assert (await tools.ok(STATE, dry_run=True, **arguments))["dry_run"] is True
    assert grafana.wrote() == []
