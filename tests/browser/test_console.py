"""The console of a tool's page in a browser: fill in, call, read, cancel; what a hostile or slow server makes of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, expect
from starlette.responses import JSONResponse, Response

from tests.browser.chromium import axe_faults
from tests.controller.consoles import PATH, TOKEN, catalog, shelf_page
from tests.controller.listings import DESTROY, listing, ready, server, tool
from tests.controller.test_discovery import app as answering_app
from tests.controller.test_discovery import serving
from tests.waiting import until

STATUS = "#console-status"


async def test_a_tool_is_called_by_keyboard_and_its_result_shown_in_three_ways(page: Page) -> None:
    async with shelf_page() as found:
        found.shelf.books |= {"emma": "one", "persuasion": "two"}
        await page.goto(f"{found.base}{PATH}/tool?name=shelf_list")
        await page.locator("[data-name=limit]").focus()
        await page.keyboard.type("2")
        await page.keyboard.press("Enter")
        await expect(page.locator(STATUS)).to_contain_text("2 rows")
        await expect(page.locator(STATUS)).to_contain_text("tokens for a model")
        assert await page.locator(STATUS).get_attribute("aria-live") == "polite"
        await expect(page.locator("#outcome-table tbody tr")).to_have_count(2)
        assert await page.locator("#outcome-table thead th").all_text_contents() == ["name", "text"]
        await page.locator("input[value=table]").focus()
        await page.keyboard.press("ArrowRight")
        shown = json.loads(await page.locator("#outcome-json").text_content() or "")
        assert shown["items"][0] == {"name": "emma", "text": "one"}
        await page.keyboard.press("ArrowRight")
        await expect(page.locator("#outcome-model")).to_contain_text("data, not instructions")
        await expect(page.locator("#outcome-json")).to_be_hidden()
        await page.fill("[data-name=limit]", "0")
        await page.keyboard.press("Enter")
        assert await page.evaluate("document.querySelector('[data-name=limit]').validity.rangeUnderflow")


async def test_an_error_of_the_tool_is_in_its_own_words(page: Page) -> None:
    async with shelf_page() as found:
        await page.goto(f"{found.base}{PATH}/tool?name=shelf_read")
        await page.fill("[data-name=name]", "absent")
        await page.click(".call")
        await expect(page.locator(STATUS)).to_contain_text("answered with an error")
        await expect(page.locator("#outcome-model")).to_contain_text("no book 'absent'")


async def test_what_changes_is_called_as_a_dry_run_alone(page: Page) -> None:
    async with shelf_page(approval="off") as found:
        found.shelf.books["emma"] = "one"
        await page.goto(f"{found.base}{PATH}/tool?name=shelf_burn")
        await expect(page.locator("#console")).to_contain_text("as a dry run only")
        await page.fill("[data-name=name]", "emma")
        await page.click(".call")
        await expect(page.locator("#outcome-model")).to_contain_text("dry_run")
        assert found.shelf.books == {"emma": "one"}
        await page.evaluate("document.querySelector('#console form').dataset.rehearsal = ''")
        await page.click(".call")
        await expect(page.locator(STATUS)).to_contain_text("Refused (403)")
        assert found.shelf.books == {"emma": "one"}
        await page.goto(f"{found.base}{PATH}/tool?name=shelf_tidy")
        await page.select_option("[data-name=action]", '"count"')
        await page.click(".call")
        await expect(page.locator(STATUS)).to_contain_text("Answered")
        await page.select_option("[data-name=action]", '"clear"')
        await page.click(".call")
        await expect(page.locator(STATUS)).to_contain_text("Refused (403)")


async def test_a_long_call_shows_its_progress_and_can_be_cancelled(page: Page) -> None:
    async with shelf_page() as found:
        await page.goto(f"{found.base}{PATH}/tool?name=shelf_wait")
        await page.fill("[data-name=seconds]", "4s")
        await page.click(".call")
        await expect(page.locator(STATUS)).to_contain_text("half way · 1 of 2")
        assert await page.locator("#console-progress").get_attribute("value") == "1"
        await page.click(".cancel")
        await expect(page.locator(STATUS)).to_contain_text("Cancelled")

        async def cancelled() -> bool:
            return found.shelf.cancelled == 1

        await until(cancelled, what="the cancellation")
        await expect(page.locator(".call")).to_be_enabled()


async def test_a_token_is_asked_for_and_kept_for_this_server_and_this_tab_alone(page: Page, tmp_path: Path) -> None:
    async with shelf_page(tmp_path / "tokens") as found:
        found.shelf.books["emma"] = "one"
        found.live.update(server("other", tool("query")))
        await page.goto(f"{found.base}{PATH}/tool?name=shelf_list")
        await expect(page.locator("#token")).to_be_hidden()
        await page.click(".call")
        await expect(page.locator(STATUS)).to_contain_text("enter a token")
        await expect(page.locator("#token")).to_be_focused()
        await page.keyboard.type(TOKEN)
        await page.keyboard.press("Enter")
        await expect(page.locator(STATUS)).to_contain_text("1 row")
        sent: list[str | None] = []
        page.on("request", lambda request: sent.append(request.headers.get("authorization")))
        await page.goto(f"{found.base}/servers/tools/other/tool?name=query")
        await page.fill("[data-name=query]", "up")
        await page.click(".call")
        await expect(page.locator(STATUS)).to_contain_text("cannot be reached")
        assert set(sent) == {None}
        assert await page.context.cookies() == []
        assert await page.evaluate("Object.keys(localStorage)") == []
        again = await page.context.new_page()  # another tab
        await again.goto(f"{found.base}{PATH}/tool?name=shelf_list")
        await again.click(".call")
        await expect(again.locator(STATUS)).to_contain_text("enter a token")
        await again.close()


async def test_news_keep_what_is_filled_in_and_what_was_answered(page: Page) -> None:
    async with shelf_page() as found:
        found.shelf.books["emma"] = "one"
        await page.goto(f"{found.base}{PATH}/tool?name=shelf_list")
        await expect(page.locator("html[data-live=on]")).to_have_count(1)
        await page.fill("[data-name=limit]", "7")
        await page.click(".call")
        await expect(page.locator(STATUS)).to_contain_text("1 row")
        (known,) = found.live.document()["servers"]
        dead = listing(*({**each, "annotations": each["annotations"]} for each in known["tools"]))
        found.live.update(server("shelf", url=found.url, listing=dead, conditions=ready("False", "Crashed")))
        await expect(page.locator("#main")).to_contain_text("Its server is not ready: Crashed")
        found.live.remove("tools", "shelf")
        await expect(page.locator("#main")).to_contain_text("no such tool")


async def test_a_call_ends_with_the_form_that_began_it(page: Page) -> None:
    """News bring another form of the tool meanwhile, or another page: no answer stands below what did not ask."""
    async with shelf_page() as found:
        await page.goto(f"{found.base}{PATH}/tool?name=shelf_wait")
        await expect(page.locator("html[data-live=on]")).to_have_count(1)
        (known,) = found.live.document()["servers"]

        async def change(*left_out: str) -> None:
            changed = [
                {**each, "inputSchema": {**each["inputSchema"], "description": "anew"}}
                for each in known["tools"]
                if each["name"] not in left_out
            ]
            found.live.update(server("shelf", url=found.url, listing=listing(*changed)))

        for number, left_out in enumerate(([], ["shelf_wait"]), 1):
            await page.fill("[data-name=seconds]", "4s")
            await page.click(".call")
            await expect(page.locator(STATUS)).to_contain_text("half way")
            await change(*left_out)

            async def cancelled(count: int = number) -> bool:
                return found.shelf.cancelled == count

            await until(cancelled, what="the end of the call")
            if not left_out:
                await expect(page.locator("[data-name=seconds]")).to_have_value("")
                await expect(page.locator(STATUS)).to_have_text("")
                await expect(page.locator(".call")).to_be_enabled()
        await expect(page.locator("#main")).to_contain_text("no such tool")


EVIL = "<img src=x onerror='window.ran=1'><script>window.ran=1</script>"


async def test_hostile_words_are_text_wherever_they_stand(page: Page) -> None:
    rows = [{EVIL: EVIL, "__proto__": EVIL, "constructor": 1}]
    result = {"content": [{"type": "text", "text": EVIL}, {"type": EVIL}], "structuredContent": {"items": rows}}
    schema = {
        "type": "object",
        "properties": {EVIL: {"type": "string", "description": EVIL, "default": EVIL}, "e": {"enum": [EVIL]}},
    }
    evil = tool("evil", description=EVIL, inputSchema=schema)
    async with serving(answering_app(_answering(result))) as base, catalog(f"{base}/mcp", listing(evil)) as (url, _):
        await page.goto(f"{url}{PATH}/tool?name=evil")
        await page.fill("#console [data-kind=lines]", EVIL)
        await page.click(".call")
        await expect(page.locator("#outcome-table tbody td").first).to_have_text(EVIL)
        await expect(page.locator("#outcome-model")).to_contain_text("onerror")
        ran = "[window.ran, document.querySelectorAll('#main img, #main script').length]"
        assert await page.evaluate(ran) == [None, 0]


def _answering(result: Any) -> Callable[..., Response]:
    return lambda body, request: JSONResponse({"jsonrpc": "2.0", "id": body.get("id"), "result": result})


async def test_rows_with_their_columns_apart_are_a_table(page: Page) -> None:
    """As lists of Kubernetes objects come."""
    result = {"content": [], "structuredContent": {"columns": ["NAME", "AGE"], "items": [["web", "3d"], ["db"]]}}
    async with serving(answering_app(_answering(result))) as base, catalog(f"{base}/mcp", listing(tool())) as (url, _):
        await page.goto(f"{url}{PATH}/tool?name=query")
        await page.fill("[data-name=query]", "x")
        await page.click(".call")
        await expect(page.locator(STATUS)).to_contain_text("2 rows")
        assert await page.locator("#outcome-table tr").all_inner_texts() == ["NAME\tAGE", "web\t3d", "db\t"]


async def test_large_answers_and_large_schemas_stay_in_bounds(page: Page) -> None:
    """The page stays quick: 12,000 rows of which 200 are shown, megabytes of text of which a part is."""
    rows = [{f"c{each}": "x" * 10 for each in range(3)} for _ in range(12_000)]
    result = {"content": [{"type": "text", "text": "y" * 1_000_000}], "structuredContent": {"items": rows}}
    properties = {f"a{each}": {"type": "string"} for each in range(500)} | {"r": {"$ref": "#"}}
    big = tool("big", inputSchema={"type": "object", "properties": properties, "required": ["r"]})
    async with serving(answering_app(_answering(result))) as base, catalog(f"{base}/mcp", listing(big)) as (url, _):
        await page.goto(f"{url}{PATH}/tool?name=big")
        assert await page.locator("#console .field:visible").count() == 61
        await page.fill("[data-name=r]", "{}")
        await page.fill("#in-more", '{"a499": "x"}')
        await page.click(".call")
        await expect(page.locator(STATUS)).to_contain_text("12000 rows")
        await expect(page.locator("#outcome-table tbody tr")).to_have_count(200)
        await expect(page.locator("#outcome-table caption")).to_have_text("the first 200 of 12000 rows")
        assert len(await page.locator("#outcome-model").text_content() or "") < 201_000
        await page.fill("#in-more", "[1")
        await page.click(".call")
        await expect(page.locator(STATUS)).to_have_text("further arguments: this is not JSON")


async def test_a_tool_that_changes_and_has_no_dry_run_has_no_form(page: Page) -> None:
    async with catalog("http://127.0.0.1:9/mcp", listing(tool("wipe", annotations=DESTROY))) as (base, _):
        await page.goto(f"{base}{PATH}/tool?name=wipe")
        await expect(page.locator("#main")).to_contain_text("it is not called from this page")
        assert await page.locator("#console").count() == 0


async def test_without_script_the_page_says_what_to_do_instead(browser: Browser) -> None:
    context = await browser.new_context(java_script_enabled=False)
    plain = await context.new_page()
    async with shelf_page() as found:
        await plain.goto(f"{found.base}{PATH}/tool?name=shelf_list")
        await expect(plain.get_by_text("This form needs a script")).to_be_visible()
        await expect(plain.locator("#console form")).to_be_hidden()
        await context.close()


async def test_back_and_forth_between_two_tools_keeps_them_apart(page: Page) -> None:
    async with shelf_page() as found:
        found.shelf.books["emma"] = "one"
        await page.goto(f"{found.base}{PATH}/tool?name=shelf_list")
        await page.click(".call")
        await expect(page.locator(STATUS)).to_contain_text("1 row")
        await page.goto(f"{found.base}{PATH}/tool?name=shelf_read")
        await page.go_back()
        await expect(page.locator("#console [data-name=limit]")).to_be_visible()
        await page.click(".call")
        await expect(page.locator(STATUS)).to_contain_text("1 row")
        await page.fill("input[name=q]", "shelf")
        await expect(page.locator("h1")).to_contain_text("tools of")
        await page.go_back()
        await page.click(".call")
        await expect(page.locator(STATUS)).to_contain_text("1 row")


async def test_a_result_can_be_read_by_everybody(browser: Browser, axe: str) -> None:
    """WCAG 2 A and AA of a form with its answer, on a phone and wide, light and dark; nothing wider than the window."""
    async with shelf_page() as found:
        found.shelf.books |= {f"book-{each}": "a long text " * 20 for each in range(9)}
        for width, scheme in ((360, "dark"), (768, "light"), (1440, "dark")):
            viewport = {"width": width, "height": 900}
            context = await browser.new_context(viewport=viewport, color_scheme=scheme)  # type: ignore[arg-type]
            page = await context.new_page()
            await page.goto(f"{found.base}{PATH}/tool?name=shelf_list")
            await page.click(".call")
            await expect(page.locator(STATUS)).to_contain_text("9 rows")
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
            assert await axe_faults(page, axe) == []
            await context.close()
