"""Search in source code."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.mcp import ToolCaller
from tests.querydoc.making import build, open_tools, source, write

TOOL = "query_code"
LONG = "\n".join(f"line_{number} = {number}" for number in range(1, 200)) + "\ndef feed_the_crocodile():\n    pass\n"


@pytest.fixture
async def index(tmp_path: Path) -> Path:
    files = {
        "zoo/feeding.py": LONG,
        "zoo/keeper.go": "func FeedTheCrocodile() {}\n",
        "lib/feeding.go": "// feed\nfunc feed() {}\n",
        "zoo/notes.md": "# Notes\n\nThe crocodile.\n",
    }
    root = write(tmp_path / "code", files)
    await build(tmp_path / "i.sqlite", source(root, "zoo-code", "2", code=("py", ".go")), source(root, "zoo", "2"))
    return tmp_path / "i.sqlite"


@pytest.fixture
async def tools(index: Path) -> AsyncIterator[ToolCaller]:
    async with open_tools(index) as caller:
        yield caller


def paths(answer: dict[str, list[dict[str, str]]]) -> list[str]:
    return [item["path"] for item in answer["items"]]


async def test_a_piece_is_found_by_its_words_and_says_where_it_is(tools: ToolCaller) -> None:
    answer = await tools.ok(TOOL, query="feed the crocodile", limit=1)
    (item,) = answer["items"]
    first, last = map(int, item["lines"].split("-"))
    assert item["path"] in ("zoo/feeding.py", "zoo/keeper.go")
    assert item["content"].count("\n") == last - first
    assert (item["score"], item["branch"]) == (1.0, "2")
    assert answer["truncated"] is True


async def test_lines_are_those_of_the_file(tools: ToolCaller) -> None:
    (item,) = (await tools.ok(TOOL, query="feed_the_crocodile"))["items"][:1]
    first, _ = map(int, item["lines"].split("-"))
    assert item["path"] == "zoo/feeding.py"
    assert LONG.split("\n")[first - 1 :][: item["content"].count("\n") + 1] == item["content"].split("\n")


async def test_names_in_camel_case_are_found_by_their_parts(tools: ToolCaller) -> None:
    assert paths(await tools.ok(TOOL, query="crocodile", extensions=["go"])) == ["zoo/keeper.go"]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"extensions": ["go"]}, {"zoo/keeper.go", "lib/feeding.go"}),
        ({"extensions": [".py"]}, {"zoo/feeding.py"}),
        ({"path_prefix": "lib/"}, {"lib/feeding.go"}),
        ({"filePathPrefix": "lib/"}, {"lib/feeding.go"}),
        ({"path_prefix": "zoo", "extensions": ["go"]}, {"zoo/keeper.go"}),
        ({"repo": "code"}, {"zoo/feeding.py", "zoo/keeper.go", "lib/feeding.go"}),
        ({"branch": "2", "limit": 20}, {"zoo/feeding.py", "zoo/keeper.go", "lib/feeding.go"}),
        ({"product_name": "zoo-code", "path_prefix": "nowhere"}, set()),
    ],
)
async def test_filters_are_part_of_the_search(tools: ToolCaller, arguments: dict[str, object], found: set[str]) -> None:
    answer = await tools.ok(TOOL, query="feed", **arguments)
    assert set(paths(answer)) == found
    assert bool(answer.get("hint")) is not bool(found)


@pytest.mark.parametrize(("arguments", "told"), [({"repo": "other"}, "zoo"), ({"branch": "main"}, "code 2")])
async def test_an_unknown_repository_or_branch_is_answered_with_those_there_are(
    tools: ToolCaller, arguments: dict[str, str], told: str
) -> None:
    error = await tools.fails(TOOL, query="feed", **arguments)
    assert error["code"] == "not_found"
    assert told in error["hint"] or "code" in error["hint"]


@pytest.mark.parametrize("query", ["", "  "])
async def test_an_empty_query_is_refused(tools: ToolCaller, query: str) -> None:
    assert (await tools.fails(TOOL, query=query))["message"] == "query: must not be empty"


@pytest.mark.parametrize("query", ['"', "feed AND", "((", "path:feed*", "%"])
async def test_signs_of_the_full_text_syntax_are_words(tools: ToolCaller, query: str) -> None:
    await tools.ok(TOOL, query=query)


@pytest.mark.parametrize("extension", ["*", "g%", "", "a/b"])
async def test_what_is_no_extension_is_refused(tools: ToolCaller, extension: str) -> None:
    error = await tools.fails(TOOL, query="feed", extensions=[extension])
    assert error["message"].startswith("extensions[0]: ")


async def test_documents_do_not_answer_for_code_nor_code_for_documents(tools: ToolCaller) -> None:
    assert (await tools.fails(TOOL, query="notes", product_name="zoo"))["code"] == "not_found"
    found = await tools.ok("query_documentation", query="crocodile")
    assert [item["url"] for item in found["items"]] == ["zoo/notes.md"]
    assert (await tools.fails("query_documentation", query="x", product_name="zoo-code"))["code"] == "not_found"


async def test_without_code_there_is_no_such_tool(tmp_path: Path) -> None:
    await build(tmp_path / "d.sqlite", source(write(tmp_path / "pages", {"a.md": "# A\n\nword\n"})))
    async with open_tools(tmp_path / "d.sqlite") as tools:
        assert TOOL not in {tool.name for tool in await tools.client.list_tools()}
        error = await tools.fails(TOOL, query="x")
        assert (error["code"], error["message"]) == (
            "unavailable",
            "query_code exists only when the index holds source code",
        )
