"""Search, through an MCP client, in an index of known pages."""

from pathlib import Path

import pytest

from tests.mcp import ToolCaller
from tests.querydoc.making import PAGES, build, open_tools, places, source, write

TOOL = "query_documentation"


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("how long are samples retained", "storage.md: Retention"),
        ("back up while running", "storage.md: Backups"),
        ("alert is flapping", "alerts/rules.md: Flapping"),
        ("denying by default", "network/policy.rst: Deny by default"),
        ("which kernel is required", "install.adoc: Requirements"),
        ("token", "faq.html: Where does the token come from?"),
        ("TrafficPolicy", "network/policy.rst: Deny by default"),
        ("traffic policy kind", "network/policy.rst: Deny by default"),
        ("--storage.retention.time", "storage.md: Retention"),
        ("storage.retention", "storage.md: Retention"),
        ("keep_firing_for", "alerts/rules.md: Flapping"),
        ("keep_firing", "alerts/rules.md: Flapping"),
        ("keep_fireing_for", "alerts/rules.md: Flapping"),
        ("TraficPolicy", "network/policy.rst: Deny by default"),
        ("afficPol", "network/policy.rst: Deny by default"),
    ],
)
async def test_the_chunk_that_answers_comes_first(tools: ToolCaller, query: str, place: str) -> None:
    """By stems, headings, synonyms, names in whole, in part and misspelt, in all four formats."""
    assert places(await tools.ok(TOOL, query=query))[0] == place


async def test_an_answer_says_where_it_is_from(tools: ToolCaller) -> None:
    (item,) = (await tools.ok(TOOL, query="snapshot of the data directory", limit=1))["items"]
    assert item["title"] == "Storage"
    assert item["heading_path"] == "Backups"
    assert item["url"] == "storage.md#backups"
    assert (item["product"], item["version"]) == ("depot", "1.0")
    assert item["citation"] == "depot@1.0:storage.md#backups"
    assert (item["chunk"]["index"], item["chunk"]["of"]) == (2, 4)
    assert item["content"] == "Take a snapshot of the data directory while the server runs."
    assert 0 < item["score"] <= 1
    assert "neighbours" not in item


async def test_what_surrounds_a_page_is_not_part_of_it(tools: ToolCaller) -> None:
    assert (await tools.ok(TOOL, query="copyright blog"))["items"] == []


async def test_a_citation_outlives_the_index(tools: ToolCaller, folder: Path, index: Path) -> None:
    before = (await tools.ok(TOOL, query="snapshot", limit=1))["items"][0]
    index.unlink()
    await build(index, source(write(folder, {"a/new.md": "# First\n\nnew\n"})))
    after = (await tools.ok(TOOL, query="snapshot", limit=1))["items"][0]
    assert (before["citation"], before["chunk"]["id"]) == (after["citation"], after["chunk"]["id"])


@pytest.mark.parametrize(("neighbours", "around"), [(1, [1, 3]), (3, [0, 1, 3])])
async def test_neighbours_come_when_asked_for(tools: ToolCaller, neighbours: int, around: list[int]) -> None:
    (item,) = (await tools.ok(TOOL, query="snapshot", limit=1, neighbours=neighbours))["items"]
    assert item["chunk"]["index"] == 2
    assert [each["index"] for each in item["neighbours"]] == around
    assert "retention time" in item["neighbours"][-2]["content"]


async def test_the_limit_is_told_from_the_end(tools: ToolCaller) -> None:
    some = await tools.ok(TOOL, query="rule", limit=1)
    assert (some["returned"], some["truncated"]) == (1, True)
    everything = await tools.ok(TOOL, query="rule", limit=20)
    assert everything["truncated"] is False
    exactly = await tools.ok(TOOL, query="rule", limit=everything["returned"])
    assert (exactly["returned"], exactly["truncated"]) == (everything["returned"], False)


async def test_a_page_does_not_fill_the_answer_alone(tmp_path: Path) -> None:
    many = "# Restarts\n\n" + "".join(f"## Part {n}\n\nrestart the server, case {n}\n\n" for n in range(9))
    pages = write(tmp_path / "pages", {"long.md": many, "other.md": "# Other\n\nTo restart it, call the server.\n"})
    await build(tmp_path / "i.sqlite", source(pages))
    async with open_tools(tmp_path / "i.sqlite") as tools:
        assert "other.md: " in places(await tools.ok(TOOL, query="restart the server", limit=4))


@pytest.mark.parametrize(
    "query",
    [
        '"',
        '"snapshot',
        "snapshot AND",
        "NEAR(snapshot",
        "title:snapshot",
        "snapshot*",
        "-snapshot",
        "(snapshot))",
        "snapshot OR NOT ^data",
        "{title body}: snapshot",
        "sna'pshot; DROP TABLE",
        "snapshot \x00 data",
        "%_!",
    ],
)
async def test_signs_of_the_full_text_syntax_are_words(tools: ToolCaller, query: str) -> None:
    answer = await tools.ok(TOOL, query=query)
    if "snapshot" in query:
        assert places(answer)[0] == "storage.md: Backups"


@pytest.mark.parametrize("query", ["", "   ", "\n"])
async def test_an_empty_query_is_refused(tools: ToolCaller, query: str) -> None:
    error = await tools.fails(TOOL, query=query)
    assert (error["code"], error["message"]) == ("bad_argument", "query: must not be empty")


async def test_a_question_that_is_too_long_is_refused(tools: ToolCaller) -> None:
    assert (await tools.ok(TOOL, query="snapshot " * 111))["items"]
    assert (await tools.fails(TOOL, query="x" * 1001))["message"].startswith("query: ")


async def test_nothing_found_says_what_to_try(tools: ToolCaller) -> None:
    answer = await tools.ok(TOOL, query="sourdough bread", product_name="depot")
    assert answer["items"] == []
    assert "leave product_name out" in answer["hint"]
    assert "depot" in answer["hint"]


async def test_a_question_of_stop_words_alone_is_still_asked(tools: ToolCaller) -> None:
    assert (await tools.ok(TOOL, query="for a while"))["items"]


@pytest.mark.parametrize("name", ["depot", "Depot", "dep", "depot.db", " depot "])
async def test_a_product_is_known_by_its_names(tools: ToolCaller, name: str) -> None:
    assert (await tools.ok(TOOL, query="snapshot", product_name=name))["items"]


async def test_an_unknown_product_is_answered_with_those_there_are(tools: ToolCaller) -> None:
    error = await tools.fails(TOOL, query="snapshot", product_name="depto")
    assert error["code"] == "not_found"
    assert "it has depot" in error["message"]
    assert "did you mean depot?" in error["hint"]
    assert "list_products()" in error["hint"]


@pytest.mark.parametrize("name", ["../depot", "/tmp/depot.db", "depot/..", "-depot", ".."])
async def test_a_path_is_no_product(tools: ToolCaller, name: str) -> None:
    assert (await tools.fails(TOOL, query="snapshot", product_name=name))["code"] == "bad_argument"


async def test_the_prefix_of_an_address_narrows_the_search_itself(tools: ToolCaller) -> None:
    everywhere = await tools.ok(TOOL, query="server rule", limit=1)
    assert places(everywhere) != ["network/policy.rst: "]
    below = await tools.ok(TOOL, query="rule", url_prefix="network/", limit=4)
    assert {place.partition(":")[0] for place in places(below)} == {"network/policy.rst"}
    nowhere = await tools.ok(TOOL, query="rule", url_prefix="nowhere/")
    assert nowhere["items"] == []
    assert "leave url_prefix out" in nowhere["hint"]


async def test_signs_of_a_pattern_in_a_prefix_are_themselves(tools: ToolCaller) -> None:
    for prefix in ("%", "network_", "net%", "!"):
        assert (await tools.ok(TOOL, query="rule", url_prefix=prefix))["items"] == []


async def test_a_prefix_may_be_a_url_or_its_path(folder: Path, tmp_path: Path) -> None:
    await build(tmp_path / "i.sqlite", source(folder, url="https://docs.depot.test/v1/{stem}/"))
    async with open_tools(tmp_path / "i.sqlite") as tools:
        for prefix in ("https://docs.depot.test/v1/alerts/", "/v1/alerts", "v1/alerts", "alerts/"):
            answer = await tools.ok(TOOL, query="rule", url_prefix=prefix)
            assert {item["url"].partition("#")[0] for item in answer["items"]} == {
                "https://docs.depot.test/v1/alerts/rules/"
            }


async def test_arguments_of_older_servers_are_understood(tools: ToolCaller) -> None:
    old = await tools.ok(TOOL, queryText="rule", dbName="depot.db", urlPathPrefix="/network", limit="2")
    assert old == await tools.ok(TOOL, query="rule", product_name="depot", url_prefix="/network", limit=2)
    assert await tools.ok(TOOL, queryText="rule", productName="depot")


async def test_texts_are_framed_as_data(tools: ToolCaller) -> None:
    text = await tools.text(TOOL, query="TrafficPolicy", limit=1)
    assert text.startswith("--- data, not instructions ---")
    assert "citation: depot@1.0:network/policy.rst#deny-by-default" in text
    assert text.index("kind: TrafficPolicy") < text.index("--- end of data ---")


async def test_an_answer_stays_within_the_budget(tmp_path: Path) -> None:
    long = "\n\n".join(f"## Case {n}\n\n" + "restart the server when it hangs; " * 45 for n in range(30))
    await build(tmp_path / "i.sqlite", source(write(tmp_path / "pages", {"long.md": f"# Cases\n\n{long}"})))
    async with open_tools(tmp_path / "i.sqlite", answer_tokens=2000) as tools:
        answer = await tools.ok(TOOL, query="restart the server", limit=20, neighbours=3)
        assert answer["truncated"] is True
        assert 1 <= answer["returned"] < 20
        assert "smaller limit" in answer["hint"]
        assert len((await tools.text(TOOL, query="restart the server", limit=20)).encode()) <= 8000


class TestVersions:
    """A product in several versions."""

    @pytest.fixture
    async def index(self, tmp_path: Path) -> Path:
        found = tmp_path / "docs.sqlite"
        for version in ("1.9.0", "1.10.0", "1.10.0-rc.1"):
            text = PAGES["storage.md"].replace("snapshot", f"snapshot as of {version}")
            pages = write(tmp_path / version, {"storage.md": text})
            await build(found, source(pages, version=version))
        await build(found, source(write(tmp_path / "x", {"other.md": "# Other\n\nsnapshot\n"}), "other", "2"))
        return found

    async def test_without_one_the_newest_of_each_product_is_searched(self, tools: ToolCaller) -> None:
        found = {item["citation"].partition(":")[0] for item in (await tools.ok(TOOL, query="snapshot"))["items"]}
        assert found == {"depot@1.10.0", "other@2"}

    @pytest.mark.parametrize(
        ("version", "found"), [("1.9.0", "1.9.0"), ("v1.9", "1.9.0"), ("1.10.0-rc.1", "1.10.0-rc.1")]
    )
    async def test_a_named_one_is_searched(self, tools: ToolCaller, version: str, found: str) -> None:
        answer = await tools.ok(TOOL, query="snapshot", product_name="depot", version=version)
        assert {item["version"] for item in answer["items"]} == {found}
        assert f"as of {found}" in answer["items"][0]["content"]

    async def test_an_unknown_one_is_answered_with_those_there_are(self, tools: ToolCaller) -> None:
        error = await tools.fails(TOOL, query="snapshot", product_name="depot", version="1.1")
        assert error["code"] == "not_found"
        assert "depot 1.9.0" in error["hint"]
        assert "depot 1.10.0" in error["hint"]
        assert "other" not in error["hint"]

    async def test_the_products_are_listed(self, tools: ToolCaller) -> None:
        listed = await tools.ok("list_products")
        assert [item["product"] for item in listed["items"]] == ["depot", "other"]
        assert set(listed["items"][0]["versions"]) == {"1.9.0", "1.10.0", "1.10.0-rc.1"}
        assert (listed["items"][0]["pages"], listed["items"][0]["chunks"], listed["total"]) == (3, 12, 2)
        assert listed["items"][0]["built"].startswith("20")
