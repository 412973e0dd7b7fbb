"""Building: only what changed, on from where it stopped, and never a half or a damaged index in a server's hands."""

import asyncio
import fcntl
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from kmcp_querydoc import building, parsing
from kmcp_runtime import ToolFailure
from tests.mcp import ToolCaller
from tests.querydoc.making import build, open_tools, places, source, workshop, write
from tests.querydoc.sites import Site
from tests.slowness import scaled
from tests.waiting import until

TOOL = "query_documentation"


async def test_only_what_changed_is_indexed_anew(folder: Path, index: Path) -> None:
    (again,) = await build(index, source(folder, aliases=("dep",)))
    assert (again.pages, again.changed, again.removed) == (5, 0, 0)
    write(folder, {"storage.md": "# Storage\n\nEverything is new here.\n", "more.md": "# More\n\nnew\n"})
    (folder / "faq.html").unlink()
    (changed,) = await build(index, source(folder, aliases=("dep",)))
    assert (changed.pages, changed.changed, changed.removed) == (5, 2, 1)
    async with open_tools(index) as tools:
        assert places(await tools.ok(TOOL, query="everything new"))[0] == "storage.md: "
        assert (await tools.ok(TOOL, query="where does the token come from"))["items"] == []


async def test_a_build_that_changes_nothing_leaves_the_file_alone(folder: Path, index: Path) -> None:
    before = index.stat()
    await build(index, source(folder, aliases=("dep",)))
    assert (index.stat().st_ino, index.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert sorted(path.name for path in index.parent.glob("docs.sqlite*")) == ["docs.sqlite", "docs.sqlite.lock"]


async def test_products_that_are_not_named_stay(folder: Path, index: Path, tools: ToolCaller) -> None:
    await build(index, source(folder, "store", "2.0"))
    listed = (await tools.ok("list_products"))["items"]
    assert [(item["product"], item["versions"]) for item in listed] == [("depot", ["1.0"]), ("store", ["2.0"])]


async def test_a_server_takes_up_a_new_index_by_itself(folder: Path, index: Path, tools: ToolCaller) -> None:
    assert (await tools.ok(TOOL, query="crocodile"))["items"] == []
    await build(index, source(write(folder, {"zoo.md": "# Zoo\n\nThe crocodile is fed on Mondays.\n"})))
    assert places(await tools.ok(TOOL, query="crocodile")) == ["zoo.md: "]


async def test_products_are_removed_by_name_and_version(folder: Path, index: Path, tools: ToolCaller) -> None:
    await build(index, source(folder, "depot", "2.0"), source(folder, "store", "2.0"))
    assert building.remove([("depot", "1.0")], index, workshop(index.parent)) == 1
    assert [item["versions"] for item in (await tools.ok("list_products"))["items"]] == [["2.0"], ["2.0"]]
    assert building.remove([("depot", None), ("nothing", None)], index, workshop(index.parent)) == 1
    assert [item["product"] for item in (await tools.ok("list_products"))["items"]] == ["store"]
    assert (await tools.ok(TOOL, query="snapshot"))["items"][0]["product"] == "store"


async def test_one_build_at_a_time(folder: Path, index: Path) -> None:
    with index.with_name("docs.sqlite.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ToolFailure, match="another build") as failure:
            await build(index, source(folder))
    assert failure.value.code == "conflict"


async def test_an_index_of_another_version_of_the_suite_is_made_anew(
    folder: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(building.FACTS, "parsing", str(parsing.REVISION + 1))
    (anew,) = await build(index, source(folder))
    assert anew.changed == 5


def flip(index: Path) -> None:
    """One bit, in the middle of a text: SQLite itself would not notice."""
    content = bytearray(index.read_bytes())
    content[content.index(b"snapshot of the data")] ^= 0x20
    index.write_bytes(content)


def cut(index: Path) -> None:
    index.write_bytes(index.read_bytes()[: index.stat().st_size // 2])


def empty(index: Path) -> None:
    index.write_bytes(b"")


def foreign(index: Path) -> None:
    index.unlink()
    with closing(sqlite3.connect(index)) as connection:
        connection.execute("CREATE TABLE x (y)")


def no_database(index: Path) -> None:
    index.write_text("not an index\n" * 100)


def unsealed(index: Path) -> None:
    content = bytearray(index.read_bytes())
    content[60:64] = bytes(4)
    index.write_bytes(content)


DAMAGE = {
    flip: "its checksum is wrong",
    cut: "its checksum is wrong",
    empty: "not an SQLite file",
    foreign: "not an index of",
    no_database: "not an SQLite file",
    unsealed: "its build did not finish",
}


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
async def test_a_damaged_index_is_refused_then_rebuilt(folder: Path, index: Path, damage: "object") -> None:
    """Never served, by a server that had it open before the damage or not; a build repairs it, no restart is needed."""
    assert callable(damage)
    async with open_tools(index) as had_it_open:
        assert (await had_it_open.ok(TOOL, query="snapshot"))["items"]
        damage(index)
        async with open_tools(index) as opens_it_now:
            for tools in (had_it_open, opens_it_now):
                for tool, arguments in (
                    (TOOL, {"query": "snapshot"}),
                    ("list_products", {}),
                    ("get_chunks", {"url": "x"}),
                ):
                    error = await tools.fails(tool, **arguments)
                    assert error["code"] == "unavailable"
                    assert DAMAGE[damage] in error["message"]
                    assert f"kmcp-suite docs build --index {index}" in error["hint"]
            place = workshop(index.parent)
            await building.build([source(folder)], index, place)
            assert any("building a new one" in text for text in place.said)  # type: ignore[attr-defined]
            for tools in (had_it_open, opens_it_now):
                assert places(await tools.ok(TOOL, query="snapshot"))[0] == "storage.md: Backups"


async def test_a_configured_index_that_is_not_there_is_said(tmp_path: Path) -> None:
    async with open_tools(tmp_path / "none.sqlite") as tools:
        error = await tools.fails(TOOL, query="snapshot")
        assert error["code"] == "unavailable"
        assert "there is no index" in error["message"]
        assert "kmcp-suite docs build --index" in error["hint"]


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with Site.serve(130) as found:
        yield found


async def test_a_build_that_was_cancelled_goes_on(site: Site, tmp_path: Path) -> None:
    index = tmp_path / "i.sqlite"
    site.hold_from(61)
    task = asyncio.create_task(build(index, site.source()))
    await until(lambda: _count(site), lambda count: count >= 60, what="pages asked for")
    await asyncio.wait_for(site.held.wait(), scaled(60))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not index.exists()
    site.release()
    site.asked.clear()
    (outcome,) = await build(index, site.source())
    assert (outcome.pages, outcome.failure) == (130, None)
    assert len(site.asked) <= 80, "what the first build had read is not read again"
    async with open_tools(index) as tools:
        assert (await tools.ok("list_products"))["items"][0]["pages"] == 130


async def _count(site: Site) -> int:
    return len(site.asked)


async def test_a_build_that_was_killed_goes_on(site: Site, tmp_path: Path) -> None:
    """kill -9 in the middle: what was committed is used, the old index is there all the while."""
    sources = tmp_path / "sources.yaml"
    sources.write_text(f"- {{product: site, sitemap: '{site.url}/sitemap.xml'}}\n")
    command = [sys.executable, "-m", "kmcp_runtime.commands", "docs", "build", str(sources), "--only", "site"]
    command += ["--index", str(tmp_path / "i.sqlite")]
    site.hold_from(101)
    killed = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE, env=dict(os.environ))
    await asyncio.wait_for(site.held.wait(), scaled(120))
    killed.send_signal(signal.SIGKILL)
    await killed.communicate()
    assert not (tmp_path / "i.sqlite").exists()
    site.release()
    site.asked.clear()
    again = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE, env=dict(os.environ))
    _, told = await asyncio.wait_for(again.communicate(), scaled(120))
    assert again.returncode == 0, told.decode()
    assert "continuing the build that was interrupted" in told.decode()
    assert len(site.asked) <= 80
    async with open_tools(tmp_path / "i.sqlite") as tools:
        assert (await tools.ok("list_products"))["items"][0]["pages"] == 130
