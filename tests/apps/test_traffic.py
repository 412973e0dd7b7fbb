"""An expression at one moment: traffic between workloads by the metrics of a mesh, and bars for everything else."""

import json
from typing import Any

import pytest
from fastmcp import Client
from playwright.async_api import Browser, expect

from tests.apps import mesh_metrics
from tests.apps.hosting import Hosted, called, hosted
from tests.apps.recorded import result
from tests.apps.test_plot import HARM, TIMED, drawn, texts
from tests.prometheus import known
from tests.slowness import scaled

TRAFFIC = "ui://kmcp/prometheus/traffic"
TOOL = "prometheus_query_tool"


async def draw(view: Hosted, client: Client[Any], query: str) -> None:
    given = {"query": query, "time": known.END}
    await view.deliver(given, await called(client, TOOL, given))


async def test_traffic_is_a_picture_of_workloads_and_a_table(browser: Browser, metrics: Client[Any]) -> None:
    async with hosted(browser, metrics, TRAFFIC) as view:
        await draw(view, metrics, mesh_metrics.REQUESTS)
        workloads = {edge.source for edge in mesh_metrics.EDGES} | {edge.target for edge in mesh_metrics.EDGES}
        titles = await drawn(view, ".node title")
        assert {title.partition(" in ")[0] for title in titles} == workloads
        pairs = {(edge.source, edge.target) for edge in mesh_metrics.EDGES}
        await expect(view.frame.locator("path.edge")).to_have_count(len(pairs))
        # Of the calls of ratings by reviews-v3 two of three failed, of those by the gateway two of a hundred.
        await expect(view.frame.locator("path.edge.bad")).to_have_count(1)
        await expect(view.frame.locator("path.edge.may")).to_have_count(1)
        rows = [[cell.split("\n")[0] for cell in row.split("\t")] for row in await texts(view, "tbody tr")]
        assert rows[0] == ["istio-ingressgateway", "productpage-v1", "10.2", "2%", "0%"]
        failing = next(row for row in rows if row[-2] == "66.7%")
        assert failing[-1] == "100%"
        # Callers stand before those whom they call.
        place = {name: float(x or 0) for name, x in await _places(view)}
        assert place["istio-ingressgateway"] < place["productpage-v1"] < place["reviews-v2"] < place["ratings-v1"]


async def _places(view: Hosted) -> list[tuple[str, str]]:
    found = await view.frame.evaluate(
        "[...document.querySelectorAll('.node')].map((each) => "
        "[each.querySelector('title').textContent.split(' in ')[0], each.querySelector('rect').getAttribute('x')])"
    )
    return [(name, x) for name, x in found]


async def test_where_it_is_narrow_traffic_goes_down(browser: Browser, metrics: Client[Any]) -> None:
    async with hosted(browser, metrics, TRAFFIC, width=360) as view:
        await draw(view, metrics, mesh_metrics.REQUESTS)
        assert await view.frame.evaluate("document.documentElement.scrollWidth") <= 360
        assert await view.frame.evaluate("document.querySelector('svg').clientWidth") <= 360
        places = await view.frame.evaluate(
            "[...document.querySelectorAll('.node rect')].map((each) => each.getAttribute('y'))"
        )
        assert len(set(places)) == 4


async def test_circles_and_calls_of_oneself_are_drawn(browser: Browser, metrics: Client[Any]) -> None:
    edges = [("a", "b"), ("b", "c"), ("c", "a"), ("c", "c"), ("d", "d")]
    items = [{"metric": {"source": one, "destination": other}, "value": 1, "timestamp": 5} for one, other in edges]
    async with hosted(browser, metrics, TRAFFIC) as view:
        await view.deliver({"query": "flows"}, result({"result_type": "vector", "items": items}))
        await expect(view.frame.locator(".node")).to_have_count(4)
        await expect(view.frame.locator("path.edge")).to_have_count(3)
        await expect(view.frame.locator("tbody tr")).to_have_count(5)


async def test_other_series_are_bars(browser: Browser, metrics: Client[Any]) -> None:
    async with hosted(browser, metrics, TRAFFIC) as view:
        await draw(view, metrics, "shop_requests_total")
        rows = [row.split("\t")[:2] for row in await texts(view, "tbody tr")]
        assert ['shop_requests_total{code="200", instance="b", job="shop"}', "1,440"] in rows
        widths = await view.frame.evaluate(
            "[...document.querySelectorAll('.bar > span')].map((each) => each.style.width)"
        )
        assert sorted(widths) == ["100%", "5%", "50%"]


@pytest.mark.parametrize(
    ("query", "selector", "text"),
    [
        ("sum(shop_queue_used)", ".figure", str(known.QUEUE_USED)),
        ("scalar(shop_queue_limit)", ".figure", str(known.QUEUE_LIMIT)),
        ("vector(1) / 0", ".figure", "+Inf"),
        ('"<b>text</b>"', "pre", "<b>text</b>"),
        ("absent_metric", "#body", "No series at this moment."),
        ("rate(", "#state", 'bad_argument: invalid parameter "query"'),
        ("shop_temperature_celsius[3m]", "tbody", 'room="kitchen"'),
    ],
)
async def test_every_kind_of_answer_has_its_form(
    browser: Browser, metrics: Client[Any], query: str, selector: str, text: str
) -> None:
    async with hosted(browser, metrics, TRAFFIC) as view:
        await draw(view, metrics, query)
        await expect(view.frame.locator(selector).first).to_contain_text(text)


async def test_workloads_that_mean_harm_are_text(browser: Browser, metrics: Client[Any]) -> None:
    async with hosted(browser, metrics, TRAFFIC, width=360) as view:
        await draw(view, metrics, "evil_traffic")
        await expect(view.frame.locator("tbody")).to_contain_text("<img src=x onerror=")
        for data in ({}, {"items": [None, {"metric": {"source": 1, "destination": 2}}, {"value": "x"}]}):
            await view.deliver({}, result(data))
        assert await view.frame.evaluate(HARM) == [None, 0, 1, 1]


async def test_a_large_mesh_is_drawn_at_once(browser: Browser, metrics: Client[Any]) -> None:
    items = [
        {
            "metric": {"source_workload": f"w{n}", "destination_workload": f"w{(n * 7 + 1) % 500}"},
            "value": n,
            "timestamp": 1,
        }
        for n in range(1_000)
    ]
    async with hosted(browser, metrics, TRAFFIC) as view:
        await view.frame.evaluate(TIMED)
        await view.deliver({"query": "many"}, result({"result_type": "vector", "items": items}))
        await expect(view.frame.locator(".node")).to_have_count(40)
        await expect(view.frame.locator("#body")).to_contain_text("40 busiest workloads")
        await expect(view.frame.locator("tbody tr")).to_have_count(1_000)
        spent = await view.frame.evaluate("Math.max(0, ...window.stalls)")
        assert spent < scaled(0.5) * 1000, json.dumps(spent)
