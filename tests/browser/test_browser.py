"""The catalog page with its script, wide and narrow, light and dark, by keyboard and read out."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest
import uvicorn
from playwright.async_api import Browser, CDPSession, Page, expect

from kmcp_controller.catalog.console import Console
from kmcp_controller.catalog.live_document import LiveDocument
from kmcp_controller.catalog.live_server import LiveServer
from kmcp_controller.catalog.site import app
from kmcp_controller.discovery.tool_calls import call_tool
from kmcp_runtime import serving
from tests.browser.catalogs import FAILING, many, shipped
from tests.browser.chromium import axe_faults
from tests.controller.listings import ready, server, tool
from tests.serving import served
from tests.slowness import scaled

SIZES = {"wide": (1440, 900), "middle": (768, 1024), "narrow": (360, 800)}
PATHS = ("/", "/?q=pod", "/servers/tools/kmcp-kubernetes", "/servers/tools/kmcp-kubernetes/tool?name=k8s_get_resources")


@asynccontextmanager
async def opened(page: Page, servers: Iterable[LiveServer], path: str = "/") -> AsyncIterator[tuple[LiveDocument, str]]:
    live = LiveDocument()
    for each in servers:
        live.update(each)
    pages = app(live, {}, hosts=["127.0.0.1"], console=Console(call_tool))
    async with served(pages, lifespan="off") as base:
        await page.goto(base + path)
        await expect(page.locator("html[data-live=on]")).to_have_count(1)
        yield live, base
        await page.goto("about:blank")


async def test_results_follow_the_keys_and_the_address_follows_them(page: Page) -> None:
    async with opened(page, shipped()) as (_, base):
        await expect(page.locator("h2").first).to_have_text("Needs attention")
        await expect(page.locator(".card").first).to_contain_text(FAILING)
        await page.keyboard.press("/")
        await page.keyboard.type("rollout undo")
        await expect(page).to_have_url(f"{base}/?q=rollout+undo")
        await expect(page.locator("#main tbody th").first).to_contain_text("argo_")
        await expect(page.locator("#live")).to_contain_text("tool")
        await page.locator("#main tbody th a").first.click()
        await expect(page.locator("h2").first).to_have_text("Arguments")
        await page.go_back()
        await expect(page.locator("input[name=q]")).to_have_value("rollout undo")
        await page.select_option("select[name=effect]", "destroy")
        await expect(page).to_have_url(f"{base}/?q=rollout+undo&effect=destroy")
        await expect(page.locator("#main .effect.read")).to_have_count(0)


async def test_on_another_page_a_search_is_a_step_that_back_undoes(page: Page) -> None:
    async with opened(page, shipped(), PATHS[2]) as (_, base):
        await page.fill("input[name=q]", "cilium")
        await expect(page.locator("h1")).to_contain_text("tools of")
        await page.go_back()
        await expect(page.locator("h1")).to_contain_text("kmcp-kubernetes")
        assert page.url == base + PATHS[2]
        await expect(page.locator("input[name=q]")).to_have_value("")


async def test_news_arrive_without_a_reload_and_keep_what_is_open(page: Page) -> None:
    async with opened(page, [server("web")]) as (live, _):
        await page.locator("details summary").first.click()
        await page.evaluate("window.same = true")
        live.update(server("web", conditions=ready("False", "OOMKilled")))
        await expect(page.locator(".card")).to_contain_text("OOMKilled")
        await expect(page.locator("details").first).to_have_attribute("open", "")
        live.remove("tools", "web")
        await expect(page.locator("#main")).to_contain_text("There is no server yet.")
        assert await page.evaluate("window.same") is True


async def test_a_catalog_that_dies_and_comes_back_is_shown_again(page: Page) -> None:
    live = LiveDocument()
    live.update(server("before"))
    async with served(app(live, {}), lifespan="off") as base:
        await page.goto(base)
        await expect(page.locator("html[data-live=on]")).to_have_count(1)
    await expect(page.locator("#live")).to_contain_text("No connection to the catalog")
    await expect(page.locator("#main")).to_contain_text("before")
    live.remove("tools", "before")
    live.update(server("after"))
    port = int(base.rpartition(":")[2])
    again = serving.server(app(live, {}), port=port)
    async with _running(again):
        await expect(page.locator("#main")).to_contain_text("after")
        await expect(page.locator("#live")).to_have_text("")
        await page.goto("about:blank")


@asynccontextmanager
async def _running(found: uvicorn.Server) -> AsyncIterator[None]:
    task = asyncio.create_task(found.serve())
    try:
        yield
    finally:
        found.should_exit = True
        await task


async def test_hostile_texts_run_nothing(page: Page) -> None:
    evil = "<img src=x onerror='window.ran=1'><script>window.ran=1</script><svg onload='window.ran=1'>"
    bad = tool(
        evil, description=evil, title=evil, inputSchema={"type": "object", "properties": {evil: {"description": evil}}}
    )
    async with opened(page, [server("evil", bad, conditions=ready("False", evil))]) as (live, base):
        await page.fill("input[name=q]", "img")
        await expect(page.locator("h1")).to_contain_text("1 tool of")
        await page.locator("#main tbody th a").first.click()
        await expect(page.locator("h1")).to_contain_text("<img")
        live.update(server("evil", bad, conditions=ready("False", evil + "2")))
        await page.goto(base)
        await expect(page.locator(".card")).to_contain_text("onload")
        assert await page.evaluate(
            "[window.ran, document.querySelectorAll('#main img, #main script, #main svg').length]"
        ) == [None, 0]


async def test_without_script_all_of_it_works(browser: Browser) -> None:
    context = await browser.new_context(java_script_enabled=False)
    plain = await context.new_page()
    live = LiveDocument()
    for each in shipped():
        live.update(each)
    async with served(app(live, {}), lifespan="off") as base:
        await plain.goto(base)
        await plain.fill("input[name=q]", "scale")
        await plain.keyboard.press("Enter")
        await expect(plain.locator("h1")).to_contain_text(" of ")
        await plain.locator("#main tbody th a").first.click()
        await expect(plain.locator("h2").first).to_have_text("Arguments")
        assert await plain.locator("button.copy:visible").count() == 0
        await context.close()


async def test_two_thousand_tools_answer_each_key_in_a_moment(page: Page) -> None:
    async with opened(page, many()):
        await page.evaluate(_TIMED)
        session = await page.context.new_cdp_session(page)
        await session.send("Performance.enable")
        before = await _busy(session)
        await page.locator("input[name=q]").press_sequentially("tool_1 query")
        await expect(page.locator("h1")).to_contain_text("1,100 tools of")
        busy = await _busy(session) - before
        # Script, style and layout of the page itself, for each answer that it showed.
        answers = await page.evaluate("window.spent.length")
        assert busy / answers < scaled(0.05), (busy, answers)
        spent = json.loads(await page.evaluate("JSON.stringify(window.spent)"))
        assert spent
        assert sorted(spent)[len(spent) // 2] < scaled(0.1) * 1000, spent


async def _busy(session: CDPSession) -> float:
    """Seconds that the page has worked, as its browser counts."""
    found = await session.send("Performance.getMetrics")
    wanted = ("ScriptDuration", "LayoutDuration", "RecalcStyleDuration")
    return float(sum(each["value"] for each in found["metrics"] if each["name"] in wanted))


_TIMED = """
window.spent = [];
const fetched = window.fetch;
window.fetch = async (...given) => {
  const begun = performance.now();
  const answer = await fetched(...given);
  window.spent.push(performance.now() - begun);
  return answer;
};
"""


async def test_a_configuration_is_copied(browser: Browser) -> None:
    context = await browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = await context.new_page()
    async with opened(page, [server("web")], "/servers/tools/web"):
        await page.locator("details summary").first.click()
        await page.locator("details button.copy").first.click()
        await expect(page.locator("details button.copy").first).to_have_text("Copied")
        copied = json.loads(await page.evaluate("navigator.clipboard.readText()"))
        assert copied["mcpServers"]["web"]["url"] == "http://web.tools.svc:3000/mcp"
    await context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
async def test_it_fits_and_can_be_read_by_everybody(browser: Browser, axe: str, scheme: str, size: str) -> None:
    """WCAG 2 A and AA by axe, and nothing wider than the window."""
    width, height = SIZES[size]
    viewport = {"width": width, "height": height}
    context = await browser.new_context(viewport=viewport, color_scheme=scheme)  # type: ignore[arg-type]
    page = await context.new_page()
    async with opened(page, shipped()) as (_, base):
        for path in PATHS:
            await page.goto(base + path)
            await page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
            assert await page.evaluate("document.documentElement.scrollWidth") <= width, path
            assert await axe_faults(page, axe) == [], path
    await context.close()


async def test_everything_is_reached_by_the_keyboard(page: Page) -> None:
    async with opened(page, [server("web")]):
        await page.keyboard.press("Tab")
        await expect(page.locator(".skip")).to_be_focused()
        seen = set()
        for _ in range(40):
            await page.keyboard.press("Tab")
            seen.add(await page.evaluate("document.activeElement.outerHTML.slice(0, 60)"))
        for part in (
            'name="q"',
            'name="server"',
            'name="effect"',
            'name="state"',
            "<button>",
            "/servers/tools/web",
            "<summary",
        ):
            assert any(part in each for each in seen), part
