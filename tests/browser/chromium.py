"""The Chromium of this machine, with deadlines that fit it; and who cannot read what it shows."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, Frame, Page, async_playwright

from tests.patience import browsing
from tests.slowness import scaled

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
_WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """A browser; what is done in any context of it has as long as it needs here."""
    # As root, as in containers, Chromium has no sandbox of its own.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        found = await playwright.chromium.launch(executable_path=CHROMIUM, args=arguments, timeout=scaled(30) * 1000)
        found.on("context", browsing)
        yield found
        await found.close()


async def axe_faults(shown: Page | Frame, axe: str) -> list[str]:
    """What is shown breaks of WCAG 2 A and AA, by the rules of axe-core, whose source is `axe`."""
    await shown.evaluate(axe)
    found = await shown.evaluate("(rules) => axe.run({ runOnly: rules })", _WCAG)
    return [f"{each['id']}: {each['nodes'][0]['html']}" for each in found["violations"]]
