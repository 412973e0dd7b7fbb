"""An index of a small product, `depot`, and a server that reads it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.mcp import ToolCaller
from tests.querydoc.making import PAGES, build, open_tools, source, write


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index that somebody built on this machine is none of the tests' business."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "pages", PAGES)


@pytest.fixture
async def index(folder: Path, tmp_path: Path) -> Path:
    found = tmp_path / "docs.sqlite"
    await build(found, source(folder, aliases=("dep",)))
    return found


@pytest.fixture
async def tools(index: Path) -> AsyncIterator[ToolCaller]:
    async with open_tools(index) as caller:
        yield caller
