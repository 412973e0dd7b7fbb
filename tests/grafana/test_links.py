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


@pytest.mark.parametrize("older", [True])
async def test_a_path_prefix_in_grafanas_own_links_is_not_doubled(
    older: bool, address: str, grafana: StandIn, world: World
) -> None:
    async with connected(address, grafana_public_url="https://grafana.example/d") as caller:
        found = await caller.ok(DASHBOARD, action="get", uid="web")
        assert found["url"] == "https://grafana.example/d/web/web-overview"
