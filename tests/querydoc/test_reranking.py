"""The optional re-ranker, with its real vectors."""

from pathlib import Path

import pytest
from fastmcp import Client

from kmcp_querydoc.server import SERVER
from kmcp_querydoc.settings import QuerydocSettings
from kmcp_runtime.engine.assembly import assemble
from tests.mcp import ToolCaller
from tests.querydoc.making import build, source, write

PAGES = {
    "a.md": "# Animals\n\nThe hound slept; a dog house is a kennel where puppies sleep at night.\n",
    "b.md": "# Finance\n\nThe hound slept; a bank account with interest is opened at a branch office.\n",
}


async def scores(index: Path, query: str, *, rerank: bool) -> dict[str, float]:
    settings = QuerydocSettings(docs_index=str(index), docs_rerank=rerank)
    async with Client(assemble(SERVER, settings)) as client:
        answer = await ToolCaller(client).ok("query_documentation", query=query)
    return {item["url"]: item["score"] for item in answer["items"]}


@pytest.fixture
async def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    await build(tmp_path / "i.sqlite", source(write(tmp_path / "pages", PAGES)))
    return tmp_path / "i.sqlite"


async def test_the_meaning_decides_between_equal_words(index: Path) -> None:
    plain = await scores(index, "the hound", rerank=False)
    ordered = await scores(index, "the hound", rerank=True)
    assert set(ordered) == set(plain) == {"a.md", "b.md"}
    assert ordered["a.md"] / ordered["b.md"] > plain["a.md"] / plain["b.md"]
    assert next(iter(ordered)) == "a.md"


async def test_nothing_found_is_nothing_to_order(index: Path) -> None:
    assert await scores(index, "xyzzy", rerank=True) == {}
