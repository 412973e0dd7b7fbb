"""What somebody does with the page of a suite that runs: find, read, connect, call, and see a server die and return."""

import json
import os
import signal
from pathlib import Path

from fastmcp import Client
from playwright.async_api import Browser, expect

from tests.controller.clock_suite import clock_suite, server_of
from tests.slowness import scaled


async def test_find_read_connect_call_and_see_a_server_return(browser: Browser, tmp_path: Path) -> None:
    context = await browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    expect.set_options(timeout=scaled(30) * 1000)  # a server starts anew
    page = await context.new_page()
    with clock_suite(tmp_path) as up:
        await up.settled()
        await page.goto(up.page)
        await page.keyboard.press("/")
        await page.keyboard.type("current time zone")
        await expect(page.locator("#main tbody th")).to_have_count(1)
        await page.locator("#main tbody th a").click()
        await expect(page.locator("h1")).to_contain_text("datetime_get_current_time")
        await expect(page.get_by_role("region", name="Arguments")).to_contain_text("timezone")

        await page.fill("[data-name=timezone]", "Europe/Berlin")
        await page.keyboard.press("Enter")
        await expect(page.locator("#console-status")).to_contain_text("Answered")
        await expect(page.locator("#outcome-model")).to_contain_text("Europe/Berlin")

        await page.locator(".path a").nth(1).click()
        for kind in ("http", "stdio"):
            await page.locator(f"#setup-{kind}-claude-code summary").click()
            await page.locator(f"#setup-{kind}-claude-code button.copy").click()
            copied = json.loads(await page.evaluate("navigator.clipboard.readText()"))
            async with Client(copied) as client:
                assert "datetime_get_current_time" in {tool.name for tool in await client.list_tools()}, kind

        await page.goto(up.page)
        await expect(page.locator("html[data-live=on]")).to_have_count(1)
        os.kill(server_of(up), signal.SIGKILL)
        await expect(page.locator(".card")).to_contain_text("kmcp-clock")
        await expect(page.locator(".well")).to_contain_text("All of them are well.")
        await context.close()
