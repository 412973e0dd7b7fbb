"""Pages of a folder: what is taken, what is left out, and what is included from elsewhere."""

from pathlib import Path

import pytest

from kmcp_querydoc.sources import definitions
from kmcp_querydoc.sources.definitions import OWN
from kmcp_runtime import ToolFailure
from tests.querydoc.making import build, open_tools, source, write


async def paths(index: Path) -> list[str]:
    async with open_tools(index) as tools:
        answer = await tools.ok("query_documentation", query="word", limit=20)
        return sorted(item["citation"].partition(":")[2] for item in answer["items"])


async def test_documents_are_taken_and_what_is_none_is_left_out(tmp_path: Path) -> None:
    root = write(
        tmp_path / "pages",
        {
            "a.md": "# A\n\nword",
            "b/c.rst": "C\n=\n\nword",
            "d.adoc": "= D\n\nword",
            "e.HTML": "<h1>E</h1><p>word",
            "_index.md": "# Front\n\nword",
            "f.txt": "word",
            "g.py": "# word",
            ".hidden.md": "# H\n\nword",
            "_static/h.md": "# H\n\nword",
            "node_modules/i.md": "# I\n\nword",
            ".git/j.md": "# J\n\nword",
            "left/k.md": "# K\n\nword",
        },
    )
    (root / "binary.md").write_bytes(b"# B\n\nword \x00\x01")
    (root / "latin.md").write_bytes("# L\n\nword é".encode("latin-1"))
    (root / "large.md").write_text("word\n" * 900_000)
    (root / "outside.md").symlink_to(write(tmp_path, {"outside.md": "# O\n\nword"}) / "outside.md")
    (outcome,) = await build(tmp_path / "i.sqlite", source(root, exclude=("left/*",)))
    assert await paths(tmp_path / "i.sqlite") == ["_index.md", "a.md", "b/c.rst", "d.adoc", "e.HTML"]
    assert sorted(skipped.path for skipped in outcome.skipped) == ["binary.md", "large.md", "latin.md"]


async def test_only_the_named_folders_are_read(tmp_path: Path) -> None:
    root = write(tmp_path / "pages", {f"{name}/x.md": "# X\n\nword" for name in "abc"})
    await build(tmp_path / "i.sqlite", source(root, under=("a", "c/x.md"), url="https://d.test/{version}/{stem}/"))
    assert await paths(tmp_path / "i.sqlite") == ["a/x.md", "c/x.md"]
    async with open_tools(tmp_path / "i.sqlite") as tools:
        items = (await tools.ok("query_documentation", query="word"))["items"]
    assert {item["url"] for item in items} == {"https://d.test/1.0/x/", "https://d.test/1.0/c/x/"}


@pytest.mark.parametrize(
    ("under", "told"), [("nowhere", "there is no 'nowhere'"), ("..", "is outside the source"), ("/etc", "is outside")]
)
async def test_a_folder_that_is_not_there_fails_its_source_alone(tmp_path: Path, under: str, told: str) -> None:
    root = write(tmp_path / "pages", {"a.md": "# A\n\nword"})
    wrong, right = await build(tmp_path / "i.sqlite", source(root, "wrong", under=(under,)), source(root, "right"))
    assert wrong.failure is not None
    assert told in wrong.failure.message
    assert (right.failure, right.pages) == (None, 1)
    assert await paths(tmp_path / "i.sqlite") == ["a.md"]


async def test_what_a_page_includes_is_part_of_it_and_no_page_itself(tmp_path: Path) -> None:
    root = write(
        tmp_path / "pages",
        {
            "docs/page.rst": "Page\n====\n\n.. include:: ../parts/intro.rst\n\n"
            ".. note::\n\n   .. include:: /note.rst\n\n"
            ".. literalinclude:: ../examples/policy.yaml\n   :language: yaml\n\n.. include:: ../../../secret.rst\n"
            ".. include:: gone.rst\n",
            "parts/intro.rst": "the introduction\n",
            "docs/note.rst": "the notice\n",
            "examples/policy.yaml": "kind: Policy\n",
            "docs/page.adoc": "= Page\n\ninclude::../parts/part.adoc[]\n",
            "parts/part.adoc": "the portion\n",
        },
    )
    write(tmp_path, {"secret.rst": "the secret word\n"})
    (outcome,) = await build(tmp_path / "i.sqlite", source(root))
    assert outcome.pages == 2
    async with open_tools(tmp_path / "i.sqlite") as tools:
        page = (await tools.ok("get_chunks", url="docs/page.rst"))["chunks"][0]["content"]
        assert "the introduction" in page
        assert "Note:\n\nthe notice" in page
        assert "```yaml\nkind: Policy\n```" in page
        assert "secret" not in page
        assert "the portion" in (await tools.ok("get_chunks", url="docs/page.adoc"))["chunks"][0]["content"]
        assert (await tools.ok("query_documentation", query="secret word"))["items"] == []


async def test_a_page_that_includes_itself_has_an_end(tmp_path: Path) -> None:
    root = write(
        tmp_path / "pages", {"a.rst": "A\n=\n\nword\n\n.. include:: b.rst\n", "b.rst": ".. include:: b.rst\n\nx\n"}
    )
    (outcome,) = await build(tmp_path / "i.sqlite", source(root))
    assert (outcome.pages, outcome.failure) == (1, None)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "lists no sources"),
        ("{sources: {}}", "lists no sources"),
        ("[", "not valid YAML"),
        ("- {product: depot}", "give one of folder, git, module, sitemap, suite, not none"),
        ("- {product: depot, folder: a, git: b}", "not folder and git"),
        ("- {product: ../depot, folder: a}", "'../depot' is not a valid product name"),
        ("- {product: depot, git: --upload-pack=x}", "'--upload-pack=x' must not be empty or start with '-'"),
        ("- {product: depot, git: x, ref: --x}", "'--x' must not be empty or start with '-'"),
        ("- {product: depot, module: example.com/x}", "write path@version"),
        ("- {product: depot, foldr: a}", "did you mean folder?"),
        ("- {product: depot, folder: a}\n- {product: depot, folder: b}", "depot latest is listed twice"),
        ("- depot", "source 1"),
    ],
)
def test_a_file_of_sources_is_checked(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "sources.yaml"
    file.write_text(text)
    with pytest.raises(ToolFailure) as failure:
        definitions.read(file)
    assert failure.value.code == "bad_argument"
    assert told in failure.value.message


def test_folders_in_a_file_of_sources_are_beside_it(tmp_path: Path) -> None:
    write(tmp_path, {"x/sources.yaml": "sources:\n- {product: depot, folder: ../pages}\n"})
    (found,) = definitions.read(tmp_path / "x" / "sources.yaml")
    assert found.folder == str(tmp_path / "pages")


def test_a_file_of_sources_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ToolFailure, match="there is no file"):
        definitions.read(tmp_path / "none.yaml")


async def test_a_server_without_an_index_answers_from_the_suites_own_pages() -> None:
    async with open_tools("") as tools:
        assert [item["product"] for item in (await tools.ok("list_products"))["items"]] == [OWN]
        answer = await tools.ok("query_documentation", query="what to do when a tool answers approval_required")
        assert any(item["url"].startswith("docs/concepts/safety.md#") for item in answer["items"])
        told = await tools.ok("query_documentation", query="datetime_get_current_time arguments", limit=1)
        assert told["items"][0]["heading_path"] == "datetime_get_current_time"
        assert "`offset`" in told["items"][0]["content"]
        values = await tools.ok("query_documentation", query="image pull secrets of the chart", limit=1)
        assert values["items"][0]["citation"].endswith("docs/reference/chart.md#imagepullsecrets")
