"""`kmcp-suite docs`: what it prints, and what it answers when it cannot."""

from pathlib import Path

import pytest

from kmcp_querydoc.cli import docs
from kmcp_querydoc.settings import QuerydocSettings, default_index
from kmcp_querydoc.shelf import chosen
from kmcp_runtime import VERSION
from tests.querydoc.making import PAGES, open_tools, write

Printed = pytest.CaptureFixture[str]


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    write(tmp_path / "pages", PAGES)
    file = tmp_path / "sources.yaml"
    file.write_text("- {product: depot, version: 1.0.0, folder: pages}\n- {product: store, folder: pages}\n")
    return file


def test_build_list_check_and_remove(sources: Path, capsys: Printed) -> None:
    assert docs(["build", str(sources)]) == 0
    printed = capsys.readouterr()
    assert "depot 1.0.0: 5 pages, 5 changed, 0 removed" in printed.err
    assert f"{default_index()}: " in printed.out
    assert docs(["list"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in listed] == ["depot 1.0.0", f"kmcp-suite {VERSION}", "store latest"]
    assert docs(["check"]) == 0
    assert "sound" in capsys.readouterr().out
    assert docs(["remove", "depot@1.0.0", "store"]) == 0
    assert "2 removed" in capsys.readouterr().out
    assert docs(["remove", "depot"]) == 1


async def test_a_server_finds_the_index_at_its_default_place(sources: Path) -> None:
    async with open_tools("") as tools:
        assert len((await tools.ok("list_products"))["items"]) == 1
        docs_built = await _in_thread(["build", str(sources)])
        assert docs_built == 0
        assert [item["product"] for item in (await tools.ok("list_products"))["items"]] == [
            "depot",
            "kmcp-suite",
            "store",
        ]


async def _in_thread(argv: list[str]) -> int:
    import asyncio

    return await asyncio.to_thread(docs, argv)


def test_only_the_named_products_are_built(sources: Path, tmp_path: Path, capsys: Printed) -> None:
    index = str(tmp_path / "own.sqlite")
    assert docs(["build", str(sources), "--only", "store", "--index", index]) == 0
    assert "depot" not in capsys.readouterr().err
    assert docs(["build", str(sources), "--only", "stor", "--index", index]) == 1
    assert "did you mean store?" in capsys.readouterr().err


def test_a_source_that_fails_is_told_and_the_others_are_built(sources: Path, capsys: Printed) -> None:
    sources.write_text("- {product: gone, folder: gone}\n- {product: store, folder: pages}\n")
    assert docs(["build", str(sources)]) == 1
    assert "gone latest: there is no folder" in capsys.readouterr().err
    assert docs(["list"]) == 0
    assert "store latest: 5 pages" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["list"], "there is no index"),
        (["check"], "run `kmcp-suite docs build`"),
        (["remove", "depot"], "there is no index"),
        (["build", "none.yaml"], "there is no file none.yaml"),
    ],
)
def test_what_is_missing_is_said(argv: list[str], told: str, capsys: Printed) -> None:
    assert docs(argv) == 1
    assert told in capsys.readouterr().err


def test_a_damaged_index_is_told(sources: Path, capsys: Printed) -> None:
    docs(["build", str(sources)])
    default_index().write_bytes(default_index().read_bytes()[:-100])
    capsys.readouterr()
    for action in (["check"], ["list"], ["remove", "depot"]):
        assert docs(action) == 1
        assert "its checksum is wrong" in capsys.readouterr().err
    assert docs(["build", str(sources)]) == 0
    assert docs(["check"]) == 0


def test_no_credentials_of_an_address_are_shown(tmp_path: Path, capsys: Printed) -> None:
    file = tmp_path / "sources.yaml"
    file.write_text("- {product: depot, git: 'https://user:hunter22@127.0.0.1:1/x.git'}\n")
    assert docs(["build", str(file)]) == 1
    printed = capsys.readouterr()
    assert "hunter22" not in printed.out + printed.err
    assert docs(["list"]) == 0


def test_one_variable_says_where_the_index_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Q1: for the command as for the server."""
    named = tmp_path / "named.sqlite"
    monkeypatch.setenv("KMCP_DOCS_INDEX", str(named))
    assert default_index() == named
    assert chosen(QuerydocSettings(docs_index=str(named))) == named
