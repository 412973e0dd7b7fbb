"""`python -m tests.browser`: the picture of the catalog page in the documentation."""

import asyncio
import os
import sys
from pathlib import Path

from playwright.async_api import async_playwright

from kmcp_controller.catalog.live_document import LiveDocument
from kmcp_controller.catalog.site import app
from tests.browser.catalogs import shipped
from tests.browser.conftest import CHROMIUM
from tests.serving import served

PICTURE = Path("docs/assets/catalog.png")


async def take() -> None:
    live = LiveDocument(lambda: "2026-01-01T00:00:00Z")
    for each in shipped():
        live.update(each)
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with served(app(live, {}), lifespan="off") as base, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = await browser.new_page(viewport={"width": 1200, "height": 860})
        await page.goto(base)
        await page.wait_for_selector("html[data-live=on]")
        await page.screenshot(path=PICTURE)
        await browser.close()


if __name__ == "__main__":
    if CHROMIUM is None:
        sys.exit("no Chromium is on this machine")
    asyncio.run(take())
