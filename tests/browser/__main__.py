"""`python -m tests.browser [FOLDER]`: the pictures of the documentation; with a folder every page in it instead.

The folder gets each page in three widths, light and dark, for a person to look at.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

from playwright.async_api import Browser, Page

from kmcp_controller.catalog.console import Console
from kmcp_controller.catalog.live_document import LiveDocument
from kmcp_controller.catalog.site import app
from kmcp_controller.discovery.tool_calls import call_tool
from tests.browser.catalogs import shipped
from tests.browser.chromium import CHROMIUM, launched
from tests.controller.consoles import PATH, shelf_page
from tests.serving import served

ASSETS = Path("docs/assets")
WIDTHS = (360, 768, 1440)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
PATHS = {
    "overview": "/",
    "search": "/?q=rollout",
    "server": "/servers/tools/kmcp-kubernetes",
    "tool": "/servers/tools/kmcp-kubernetes/tool?name=k8s_get_resources",
}
BOOKS = {
    "emma": "Emma Woodhouse, handsome, clever, and rich",
    "persuasion": "Sir Walter Elliot, of Kellynch Hall",
    "sanditon": "A gentleman and lady travelling from Tunbridge",
}


@asynccontextmanager
async def catalog() -> AsyncIterator[str]:
    live = LiveDocument(lambda: "2026-01-01T00:00:00Z")
    for each in shipped():
        live.update(each)
    pages = app(live, {}, hosts=["127.0.0.1"], console=Console(call_tool))
    async with served(pages, lifespan="off") as base:
        yield base


async def call(page: Page, base: str) -> None:
    """The console of a tool with its answer, by a real server."""
    await page.goto(f"{base}{PATH}/tool?name=shelf_list")
    await page.click(".call")
    await page.wait_for_selector("#outcome-table tbody tr")


async def take(browser: Browser) -> None:
    page = await browser.new_page(viewport={"width": 1200, "height": 860})
    async with catalog() as base:
        await page.goto(base)
        await page.wait_for_selector("html[data-live=on]")
        await page.screenshot(path=ASSETS / "catalog.png")
    async with shelf_page() as found:
        found.shelf.books |= BOOKS
        await page.set_viewport_size({"width": 1200, "height": 420})
        await call(page, found.base)
        await page.evaluate("document.getElementById('console-title').scrollIntoView()")
        await page.screenshot(path=ASSETS / "console.png")


async def take_all(browser: Browser, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    async with catalog() as base, shelf_page() as found:
        found.shelf.books |= BOOKS
        for width in WIDTHS:
            for scheme in SCHEMES:
                page = await browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
                for name, path in PATHS.items():
                    await page.goto(base + path)
                    await page.screenshot(path=folder / f"{name}-{width}-{scheme}.png", full_page=name == "tool")
                await call(page, found.base)
                await page.screenshot(path=folder / f"console-{width}-{scheme}.png", full_page=True)
                await page.close()


async def main(folders: list[str]) -> None:
    async with launched() as browser:
        await (take_all(browser, Path(folders[0])) if folders else take(browser))


if __name__ == "__main__":
    if CHROMIUM is None:
        sys.exit("no Chromium is on this machine")
    asyncio.run(main(sys.argv[1:]))
