"""Reading on in a page."""

from pathlib import Path

import pytest

from tests.mcp import ToolCaller
from tests.querydoc.making import build, open_tools, sections, source, write

TOOL = "get_chunks"


@pytest.mark.parametrize(
    "url", ["storage.md", "storage.md#backups", "depot@1.0:storage.md", "depot@1.0:storage.md#backups"]
)
async def test_a_page_is_known_by_path_url_and_citation(tools: ToolCaller, url: str) -> None:
    page = await tools.ok(TOOL, url=url)
    assert (page["title"], page["of"], page["product"], page["version"]) == ("Storage", 4, "depot", "1.0")
    assert sections(page["chunks"]) == ["", "Retention", "Backups", "Corruption"]
    assert [chunk["index"] for chunk in page["chunks"]] == [0, 1, 2, 3]
    assert page["truncated"] is False
    assert "hint" not in page


async def test_a_part_is_read_by_its_ends(tools: ToolCaller) -> None:
    page = await tools.ok(TOOL, url="storage.md", start_index=1, end_index=2)
    assert sections(page["chunks"]) == ["Retention", "Backups"]
    assert page["truncated"] is False
    beyond = await tools.ok(TOOL, url="storage.md", start_index=3, end_index=99)
    assert sections(beyond["chunks"]) == ["Corruption"]


async def test_the_citation_of_an_answer_leads_to_its_page(tools: ToolCaller) -> None:
    (item,) = (await tools.ok("query_documentation", query="snapshot", limit=1))["items"]
    page = await tools.ok(
        TOOL, url=item["citation"], start_index=item["chunk"]["index"], end_index=item["chunk"]["index"]
    )
    assert page["chunks"][0]["content"] == item["content"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"start_index": 2, "end_index": 1}, "end_index: 1 is before start_index 2"),
        ({"start_index": -1}, "start_index: "),
        ({"end_index": -1}, "end_index: "),
        ({"start_index": 4}, "start_index: the page has 4 chunks, 0 to 3"),
        ({"product_name": "../x"}, "product_name: "),
    ],
)
async def test_what_is_no_part_of_a_page_is_said(tools: ToolCaller, arguments: dict[str, object], told: str) -> None:
    error = await tools.fails(TOOL, url="storage.md", **arguments)
    assert error["code"] == "bad_argument"
    assert error["message"].startswith(told)


async def test_an_unknown_page_is_answered_with_near_ones(tools: ToolCaller) -> None:
    error = await tools.fails(TOOL, url="storge.md")
    assert (error["code"], error["hint"]) == ("not_found", "did you mean storage.md?")
    assert "rules.md" in (await tools.fails(TOOL, url="rules.md"))["hint"]
    assert "query_documentation" in (await tools.fails(TOOL, url="xyzzy"))["hint"]


async def test_arguments_of_older_servers_are_understood(tools: ToolCaller) -> None:
    new = await tools.ok(TOOL, url="storage.md", product_name="depot", start_index=1, end_index=1)
    assert await tools.ok(TOOL, filePath="storage.md", productName="depot", startIndex=1, endIndex=1) == new
    assert await tools.ok(TOOL, file_path="storage.md", start_index=1, end_index=1) == new


async def test_a_long_page_comes_in_parts(tmp_path: Path) -> None:
    text = "# Long\n\n" + "".join(f"## Part {n}\n\ntext of part {n}\n\n" for n in range(70))
    await build(tmp_path / "i.sqlite", source(write(tmp_path / "pages", {"long.md": text})))
    async with open_tools(tmp_path / "i.sqlite") as tools:
        first = await tools.ok(TOOL, url="long.md")
        assert (len(first["chunks"]), first["truncated"]) == (12, True)
        assert first["hint"] == "Continue with start_index=12."
        assert (await tools.ok(TOOL, url="long.md", start_index=12))["chunks"][0]["heading_path"] == "Part 12"
        most = await tools.ok(TOOL, url="long.md", end_index=69)
        assert (len(most["chunks"]), most["truncated"]) == (50, True)


async def test_a_page_of_several_products_needs_one(folder: Path, tmp_path: Path) -> None:
    await build(tmp_path / "i.sqlite", source(folder), source(folder, "store", "1"), source(folder, "store", "2"))
    async with open_tools(tmp_path / "i.sqlite") as tools:
        error = await tools.fails(TOOL, url="storage.md")
        assert (error["code"], error["hint"]) == ("bad_argument", "give product_name: depot")
        assert (await tools.ok(TOOL, url="storage.md", product_name="store"))["version"] == "2"
        assert (await tools.ok(TOOL, url="storage.md", product_name="store", version="1"))["version"] == "1"
        assert (await tools.ok(TOOL, url="store@1:storage.md"))["version"] == "1"
