"""Links to Grafana's pages."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.grafana.conftest import connected
from tests.grafana.every_action import DASHBOARD
from tests.grafana.standin import StandIn
from tests.grafana.world import World
from tests.mcp import ToolCaller

LINK = "grafana_generate_deeplink"


@pytest.mark.parametrize(
    ("arguments", "path", "query"),
    [
        ({"target": "dashboard", "uid": "web"}, "/d/web", {}),
        (
            {
                "target": "panel",
                "uid": "web",
                "panel_id": 3,
                "start": "now-6h",
                "end": "now",
                "variables": {"env": "a b"},
            },
            "/d/web",
            {"viewPanel": ["3"], "from": ["now-6h"], "to": ["now"], "var-env": ["a b"]},
        ),
        (
            {"target": "dashboard", "uid": "web", "start": "2026-11-25T09:00:00Z", "end": "-15m"},
            "/d/web",
            {"from": ["1795597200000"], "to": ["now-15m"]},
        ),
        (
            {"target": "dashboard", "uid": "web", "start": "now-1d/d", "end": "now-1d/d"},
            "/d/web",
            {"from": ["now-1d/d"], "to": ["now-1d/d"]},
        ),
        (
            {"target": "dashboard", "uid": "web", "start": "now/d", "end": "now"},
            "/d/web",
            {"from": ["now/d"], "to": ["now"]},
        ),
        (
            {"target": "dashboard", "uid": "web", "start": "now-1M", "end": "now-1w+1h"},
            "/d/web",
            {"from": ["now-1M"], "to": ["now-1w+1h"]},
        ),
        (
            {"target": "dashboard", "uid": "web", "start": "1795597200000", "end": "1795600800"},
            "/d/web",
            {"from": ["1795597200000"], "to": ["1795600800000"]},
        ),
        (
            # Grafana reads one unit in each step.
            {"target": "dashboard", "uid": "web", "start": "-1h30m", "end": "now + 5m"},
            "/d/web",
            {"from": ["now-1h-30m"], "to": ["now+5m"]},
        ),
        (
            {"target": "dashboard", "uid": "web", "variables": {"env": ["a", "b&c"], "zone": "x"}},
            "/d/web",
            {"var-env": ["a", "b&c"], "var-zone": ["x"]},
        ),
    ],
)
async def test_links_to_dashboards(
    arguments: dict[str, Any], path: str, query: dict[str, list[str]], tools: ToolCaller, grafana: StandIn
) -> None:
    url = urlsplit((await tools.ok(LINK, **arguments))["url"])
    assert (url.path, parse_qs(url.query)) == (path, query)
    assert grafana.accepted == [], "no request is sent"


async def test_a_link_to_explore_holds_the_query(tools: ToolCaller) -> None:
    url = (await tools.ok(LINK, target="explore", datasource="prom", query='up{a="b"}', start="now-2h"))["url"]
    pane = json.loads(parse_qs(urlsplit(url).query)["panes"][0])["a"]
    assert pane["datasource"] == "prom"
    assert pane["queries"][0]["expr"] == 'up{a="b"}'
    assert pane["range"] == {"from": "now-2h", "to": "now"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"target": "dashboard"}, "target=dashboard needs uid"),
        ({"target": "panel", "uid": "web"}, "target=panel needs panel_id"),
        ({"target": "explore", "query": "up"}, "target=explore needs datasource"),
        ({"target": "dashboard", "uid": "web", "start": "lately"}, "'lately' is not a valid time"),
        (
            {"target": "dashboard", "uid": "web", "start": "now", "end": "now-1h"},
            "start: now must be before end, now-1h",
        ),
        ({"target": "dashboard", "uid": "web", "start": "now/d", "end": "now-1d/d"}, "must be before end"),
        ({"target": "explore", "datasource": "prom", "start": "now+1h"}, "must be before end"),
        ({"target": "dashboard", "uid": "web", "start": "now-1x"}, "not a valid duration"),
        ({"target": "dashboard", "uid": "web", "start": "now-999999999y"}, "between the years"),
        ({"target": "dashbord", "uid": "web"}, "did you mean dashboard"),
    ],
)
async def test_a_link_that_leads_nowhere_is_refused(arguments: dict[str, Any], told: str, tools: ToolCaller) -> None:
    error = await tools.fails(LINK, **arguments)
    assert (error["code"], told in error["message"]) == ("bad_argument", True)


async def test_links_are_made_with_the_public_address(address: str, grafana: StandIn, world: World) -> None:
    async with connected(address, grafana_public_url="https://grafana.example/monitoring/") as caller:
        found = await caller.ok(DASHBOARD, action="get", uid="web")
        assert found["url"] == "https://grafana.example/monitoring/d/web"


async def test_a_time_may_be_a_number(tools: ToolCaller) -> None:
    for start, end in ((1_795_597_200, 1_795_600_800), (1_795_597_200_000, 1_795_600_800_000)):
        url = (await tools.ok(LINK, target="dashboard", uid="web", start=start, end=end))["url"]
        assert parse_qs(urlsplit(url).query) == {"from": ["1795597200000"], "to": ["1795600800000"]}


@pytest.mark.parametrize("older", [True])
async def test_a_path_prefix_in_grafanas_own_links_is_not_doubled(
    older: bool, address: str, grafana: StandIn, world: World
) -> None:
    async with connected(address, grafana_public_url="https://grafana.example/d") as caller:
        found = await caller.ok(DASHBOARD, action="get", uid="web")
        assert found["url"] == "https://grafana.example/d/web/web-overview"
