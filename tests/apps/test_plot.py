"""A range query as a plot: answers of a real Prometheus, drawn in Chromium."""

import json
from typing import Any

import pytest
from fastmcp import Client
from playwright.async_api import Browser, expect

from tests.apps.hosting import Hosted, called, hosted
from tests.apps.mesh_metrics import EVIL
from tests.apps.recorded import result
from tests.prometheus import known
from tests.slowness import scaled

PLOT = "ui://kmcp/prometheus/plot"
TOOL = "prometheus_query_range_tool"
RANGE = {"start": known.BEGIN, "end": known.END}
UTC = {"timeZone": "UTC", "locale": "en-GB"}


async def draw(view: Hosted, client: Client[Any], **arguments: Any) -> None:
    given = {**RANGE, **arguments}
    await view.deliver(given, await called(client, TOOL, given))


async def texts(view: Hosted, selector: str) -> list[str]:
    """As they are shown; of a table's row, cells are apart by tabs."""
    return await view.frame.locator(selector).all_inner_texts()


async def drawn(view: Hosted, selector: str) -> list[str]:
    """Of a picture."""
    return await view.frame.locator(selector).all_text_contents()


async def test_a_range_query_is_drawn_with_axes_lines_and_figures(browser: Browser, metrics: Client[Any]) -> None:
    async with hosted(browser, metrics, PLOT, context=UTC) as view:
        await draw(view, metrics, query="shop_temperature_celsius", max_points=121)
        await expect(view.frame.locator("h1")).to_have_text("shop_temperature_celsius")
        assert await texts(view, "tbody th bdi") == ['{room="cellar"}', '{room="kitchen"}']
        assert await drawn(view, "text.y") == ["0", "10", "20", "30"]
        begin = await view.frame.locator("text.x").first.text_content()
        assert begin == await view.frame.evaluate(
            "(at) => new Date(at * 1000).toISOString().slice(11, 16)", known.BEGIN
        )
        # Three minutes of the cellar are no numbers: its line has two parts, and the note says so in times of day.
        cellar = await view.frame.locator("path.s0").get_attribute("d")
        kitchen = await view.frame.locator("path.s1").get_attribute("d")
        assert (cellar or "").count("M") == 2
        assert (kitchen or "").count("M") == 1
        assert (kitchen or "").count("L") == known.MINUTES
        await expect(view.frame.locator("#notes")).to_contain_text("NaN at ")
        assert str(known.at(5)) not in await view.frame.locator("#notes").inner_text()
        rows = await texts(view, "tbody tr")
        values = [known.kitchen(minute) for minute in range(known.MINUTES + 1)]
        average = f"{sum(values) / len(values):.5g}"
        assert rows[1].split("\t")[1:] == ["20", "20", "20", average, "29"]


async def test_the_moment_is_read_by_pointer_and_by_keyboard(browser: Browser, metrics: Client[Any]) -> None:
    async with hosted(browser, metrics, PLOT, context=UTC) as view:
        await draw(view, metrics, query='shop_temperature_celsius{room="kitchen"}', max_points=121)
        slider = view.frame.get_by_role("slider")
        await slider.focus()
        await view.page.keyboard.press("Home")
        await expect(slider).to_have_attribute(
            "aria-valuetext", "{}: {} {}".format(*(await _first(view), 'shop_temperature_celsius{room="kitchen"}', 20))
        )
        await view.page.keyboard.press("ArrowRight")
        await expect(view.frame.locator("tbody td").first).to_have_text("21")
        await view.page.keyboard.press("PageDown")
        await expect(slider).to_have_attribute("aria-valuenow", "11")
        box = await slider.bounding_box()
        assert box is not None
        await view.page.mouse.move(box["x"] + box["width"] - 12, box["y"] + 50)
        await expect(slider).to_have_attribute("aria-valuenow", str(known.MINUTES))


async def _first(view: Hosted) -> str:
    return str(await view.frame.evaluate("(at) => new Date(at * 1000).toISOString().slice(11, 19)", known.BEGIN))


async def test_a_series_is_left_out_and_comes_back(browser: Browser, metrics: Client[Any]) -> None:
    async with hosted(browser, metrics, PLOT) as view:
        await draw(view, metrics, query="shop_temperature_celsius")
        button = view.frame.get_by_role("button", name="kitchen")
        await button.click()
        await expect(button).to_have_attribute("aria-pressed", "false")
        await expect(view.frame.locator("path.series")).to_have_count(1)
        # The axis now fits what is left.
        assert "30" not in await drawn(view, "text.y")
        await button.press("Enter")
        await expect(view.frame.locator("path.series")).to_have_count(2)


async def test_a_summary_is_a_table(browser: Browser, metrics: Client[Any]) -> None:
    async with hosted(browser, metrics, PLOT) as view:
        await draw(view, metrics, query="shop_temperature_celsius", mode="summary")
        rows = [row.split("\t") for row in await texts(view, "tbody tr")]
        assert rows[1][0] == '{room="kitchen"}'
        assert rows[1][2] == "20"
        assert rows[1][-1] == "29"
        await expect(view.frame.get_by_role("slider")).to_have_count(0)


async def test_an_empty_answer_says_why(browser: Browser, metrics: Client[Any]) -> None:
    async with hosted(browser, metrics, PLOT) as view:
        await draw(view, metrics, query="absent_metric")
        await expect(view.frame.locator("#body")).to_contain_text("No series in this range.")
        await expect(view.frame.locator("#notes")).to_contain_text("There is no metric absent_metric.")


async def test_an_error_says_what_is_wrong(browser: Browser, metrics: Client[Any]) -> None:
    async with hosted(browser, metrics, PLOT) as view:
        given = {"query": "rate("}
        failed = await called(metrics, TOOL, given)
        await view.deliver(given, failed)
        state = view.frame.locator("#state")
        await expect(state).to_contain_text("bad_argument: ")
        await expect(state).to_contain_text("unclosed left parenthesis")
        said = await state.inner_text()
        # A host may keep _meta to itself: the text of the answer says the same.
        await view.notify(
            "ui/notifications/tool-result",
            {"isError": True, "content": [{"type": "text", "text": failed.content[0].text}]},  # type: ignore[union-attr]
        )
        await expect(state).to_have_text(said)
        await view.notify(
            "ui/notifications/tool-result", {"isError": True, "content": [{"type": "text", "text": "x{"}]}
        )
        await expect(state).to_have_text("error: x{")
        await view.notify("ui/notifications/tool-cancelled", {"reason": "by the user"})
        await expect(state).to_contain_text("cancelled. by the user")


async def test_without_structured_content_the_text_is_shown(browser: Browser, metrics: Client[Any]) -> None:
    async with hosted(browser, metrics, PLOT) as view:
        await view.deliver({}, {"content": [{"type": "text", "text": "step_seconds: 60\n<b>bold</b>"}]})
        await expect(view.frame.locator("pre")).to_have_text("step_seconds: 60\n<b>bold</b>")


async def test_labels_that_mean_harm_are_text(browser: Browser, metrics: Client[Any]) -> None:
    async with hosted(browser, metrics, PLOT, width=360) as view:
        await draw(view, metrics, query="evil")
        await expect(view.frame.locator("tbody")).to_contain_text("<img src=x onerror=")
        assert await view.frame.evaluate(HARM) == [None, 0, 1, 1]
        assert max(map(len, await texts(view, "tbody tr"))) < 500
        assert await view.frame.evaluate("document.documentElement.scrollWidth") <= 360


HARM = """[window.ran ?? null, document.querySelectorAll("img, iframe, a, link, object, embed").length,
document.querySelectorAll("script").length, document.querySelectorAll("style").length]"""
STRANGE: list[dict[str, Any]] = [
    {},
    {"items": "x"},
    {"items": [None, 1, "x", [], {}, {"metric": None, "values": None}], "start": 0, "end": 1},
    {"items": [{"metric": {EVIL: EVIL}, "values": [["x", 1], [1, "x"], None, [5], [2, 1e308], [3, -1e308]]}]},
    {"items": [{"metric": {}, "values": [[1, 1]]}], "start": 5, "end": 5, "step_seconds": 0},
    {"items": [{"metric": {}, "values": [[1, 1]]}], "start": 1e300, "end": -1e300, "step_seconds": -4},
    {"items": [{"samples": 1, "min": "x", "max": None}], "hint": EVIL, "warnings": [EVIL, 5, None]},
    {"items": [{"metric": {"a": "b"}, "values": [[10, 0], [20, 0]]}], "start": 10, "end": 20, "step_seconds": 10},
]


async def test_data_of_any_shape_leaves_the_view_whole(browser: Browser, metrics: Client[Any]) -> None:
    """The host fails the test on an error in the console, and the next answer is drawn."""
    async with hosted(browser, metrics, PLOT) as view:
        for data in STRANGE:
            await view.deliver({"query": {"not": "text"}}, result(data))
        assert await view.frame.evaluate(HARM) == [None, 0, 1, 1]
        await draw(view, metrics, query="shop_queue_used")
        await expect(view.frame.locator("path.series")).to_have_count(1)


async def test_ten_thousand_points_are_drawn_at_once(browser: Browser, metrics: Client[Any]) -> None:
    series = [
        {"metric": {"n": str(n)}, "values": [[at * 60, (at * (n + 1)) % 97] for at in range(500)]} for n in range(20)
    ]
    data = {"items": series, "start": 0, "end": 499 * 60, "step_seconds": 60, "truncated": False}
    async with hosted(browser, metrics, PLOT) as view:
        await view.frame.evaluate(TIMED)
        await view.deliver({"query": "many"}, result(data))
        await expect(view.frame.locator("path.series")).to_have_count(20)
        await view.frame.get_by_role("slider").press("Home")
        spent = await view.frame.evaluate("Math.max(0, ...window.stalls)")
        assert spent < scaled(0.5) * 1000, json.dumps(spent)


TIMED = """window.stalls = [];
new PerformanceObserver((found) => window.stalls.push(...found.getEntries().map((each) => each.duration)))
  .observe({ type: "longtask", buffered: true });"""


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_the_view_is_dark_where_its_host_is(browser: Browser, metrics: Client[Any], theme: str) -> None:
    other = "dark" if theme == "light" else "light"
    ground = "getComputedStyle(document.body).backgroundColor"
    async with hosted(browser, metrics, PLOT, scheme=other, context={"theme": theme}) as view:
        assert await view.frame.evaluate(ground) == ("rgb(20, 23, 27)" if theme == "dark" else "rgb(255, 255, 255)")
        styles = {"variables": {"--color-background-primary": "rgb(1, 2, 3)", "--other": "red", "color": "red"}}
        await view.notify("ui/notifications/host-context-changed", {"theme": other, "styles": styles})
        await view.becomes(f"{ground} === 'rgb(1, 2, 3)'")
        assert await view.frame.evaluate("document.documentElement.style.length") == 1


async def test_the_view_asks_for_the_height_that_it_needs(browser: Browser, metrics: Client[Any]) -> None:
    async with hosted(browser, metrics, PLOT) as view:
        await draw(view, metrics, query="shop_temperature_celsius")
        await view.page.wait_for_function("host.frame.clientHeight > 300")
        height = await view.frame.evaluate("Math.ceil(document.body.getBoundingClientRect().height)")
        (*_, last) = await view.heard("ui/notifications/size-changed")
        assert last["params"] == {"width": 768, "height": height}
        await view.page.set_viewport_size({"width": 360, "height": 700})
        await view.becomes("Number(document.querySelector('.plot svg').getAttribute('width')) < 360")


async def test_the_call_is_made_again_by_the_host(browser: Browser, metrics: Client[Any]) -> None:
    context = {"toolInfo": {"tool": {"name": TOOL}}, "availableDisplayModes": ["inline", "fullscreen"]}
    async with hosted(browser, metrics, PLOT, context=context, capabilities={"serverTools": {}}) as view:
        await draw(view, metrics, query="shop_queue_used")
        newer = await called(metrics, TOOL, {**RANGE, "query": "shop_temperature_celsius"})
        body = newer.model_dump(by_alias=True, mode="json", exclude_none=True)
        await view.page.evaluate("(answer) => { host.answer = answer; }", body)
        await view.frame.get_by_role("button", name="Refresh").click()
        await expect(view.frame.locator("path.series")).to_have_count(2)
        assert await view.page.evaluate("host.calls") == [
            {"name": TOOL, "arguments": {**RANGE, "query": "shop_queue_used"}}
        ]
        await view.frame.get_by_role("button", name="Enlarge").click()
        await expect(view.frame.get_by_role("button", name="Reduce")).to_be_visible()


async def test_a_host_that_proxies_no_calls_gets_no_buttons(browser: Browser, metrics: Client[Any]) -> None:
    async with hosted(browser, metrics, PLOT) as view:
        await draw(view, metrics, query="shop_queue_used")
        await expect(view.frame.locator("#actions button")).to_have_count(0)
        await view.page.evaluate("host.tell({ id: 77, method: 'ui/resource-teardown', params: { reason: 'x' } })")
        await view.page.evaluate("host.tell({ id: 78, method: 'other/thing' })")
        await view.page.wait_for_function("host.heard.some((each) => each.id === 78)")
        heard = await view.page.evaluate("host.heard.filter((each) => each.id >= 77)")
        assert heard[0]["result"] == {}
        assert heard[1]["error"]["code"] == -32601
