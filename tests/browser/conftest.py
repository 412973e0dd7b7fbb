"""A browser, and pages of a catalog that the test can change."""

import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from tests.browser.chromium import CHROMIUM, launched
from tests.cluster.binaries import cache

AXE = "axe-core@4.10.3"


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium is on this machine")
    async with launched() as found:
        yield found


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page that fails the test when its script fails."""
    context = await browser.new_context()
    found = await context.new_page()
    errors: list[str] = []
    found.on("pageerror", lambda error: errors.append(str(error)))
    yield found
    await context.close()
    assert errors == []


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, which npm brings into the cache of the tests once."""
    kept = cache() / AXE / "axe.min.js"
    if not kept.exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("axe-core: no npm is on this machine")
        kept.parent.mkdir(parents=True, exist_ok=True)
        packed = subprocess.run([npm, "pack", AXE], cwd=kept.parent, capture_output=True, text=True, check=False)
        if packed.returncode:
            pytest.skip(f"axe-core: npm could not bring it: {packed.stderr.strip().splitlines()[-1:]}")
        archive = Path(packed.stdout.strip().splitlines()[-1])
        subprocess.run(["tar", "-xzf", archive.name, "--strip-components=1"], cwd=kept.parent, check=True)
    return kept.read_text()
