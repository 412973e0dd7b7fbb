"""The file that tells a door of foreign servers: whatever these are called and list, it is read as it was written."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmcp_controller.catalog.door_servers import DoorServers, Found
from kmcp_controller.catalog.live_server import live_tools
from kmcp_controller.discovery.pins import Reference, tools_hash, vouched
from kmcp_controller.local.door_file import DoorFile
from kmcp_controller.local.local_server import LocalServer
from kmcp_runtime.catalog import Effect
from kmcp_runtime.foreign.listed_tools import declared
from kmcp_runtime.foreign.scrubbing import scrub
from kmcp_runtime.foreign.servers_file import MOST_SERVERS, ForeignEntry, read_servers
from kmcp_runtime.foreign.shown_words import line
from tests.controller.listings import DESTROY, listing, tool
from tests.controller.test_reference import entry_of

ROCKET, LONG = "deploy-\U0001f680", "x" * 1100
# Every sign that JSON, YAML or UTF-8 treats in a way of its own, and long runs of the ones that are escaped.
SIGNS = st.one_of(
    st.characters(), st.sampled_from("\x7f\x85\xa0\u2028\ufeff\ufffe\uffff\ud83d\ude80\U0001f680\"\\\t\n#:'")
)
NAMES = st.one_of(
    st.text(SIGNS, max_size=150),
    st.integers(1, 1200).flatmap(lambda size: st.sampled_from("a\x85\U0001f680").map(lambda each: each * size)),
)
PLACES = st.from_regex(r"[a-z]([a-z-]{0,61}[a-z])?", fullmatch=True)


def found(name: str, *tools: dict[str, Any], namespace: str = "local", url: str = "http://127.0.0.1:1/mcp") -> Found:
    listed = live_tools([scrub(each) for each in tools], None)
    return Found(namespace, name, url, listed, {each["name"]: "read" for each in listed})


def read_back(folder: Path, text: str) -> dict[str, ForeignEntry]:
    file = folder / "servers.json"
    file.write_text(text, encoding="utf-8")
    return read_servers(file)


@given(names=st.lists(NAMES, max_size=8))
def test_what_is_written_of_any_tools_is_read_back_equal(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    given_tools = [scrub(tool(name)) for name in names]
    text = DoorServers().document([found("odd", *given_tools)])
    entry = read_back(tmp_path_factory.getbasetemp(), text)["odd"]
    written = {name: pin.model_dump(mode="json") for name, pin in entry.tools.items()}
    assert json.loads(text)["servers"] == [{"name": "odd", "url": entry.url, "tools": written}]
    # Those that the door lists; what it leaves out beyond them has a name that may not be shown as it is.
    offered = {spec.original for spec in declared(entry, given_tools, (), _never).tools}
    assert offered <= written.keys()
    assert not [name for name in written.keys() - offered if line(name) == name]


async def _never(name: str, call: Any) -> None:
    raise AssertionError(f"{name} was called")


@given(places=st.lists(st.tuples(PLACES, PLACES), max_size=12, unique=True), taken=st.sets(PLACES, max_size=5))
def test_any_servers_have_a_name_each_that_is_none_of_the_doors_own(
    tmp_path_factory: pytest.TempPathFactory, places: list[tuple[str, str]], taken: set[str]
) -> None:
    own = taken | {name for _, name in places[:2]}
    servers = [
        found(name, tool(), namespace=space, url=f"http://{number}.example/")
        for number, (space, name) in enumerate(places)
    ]
    entries = read_back(tmp_path_factory.getbasetemp(), DoorServers().document(servers, own))
    assert {entry.url for entry in entries.values()} == {server.url for server in servers}
    assert not own & entries.keys()


def test_a_name_that_is_made_to_be_anothers_costs_nobody(tmp_path: Path) -> None:
    servers = [
        found("c", namespace="a-b", url="http://1/"),
        found("b-c", namespace="a", url="http://2/"),
        found("a-b-c", namespace="z", url="http://3/"),
        found("c", namespace="y", url="http://4/"),
        found("b-c", namespace="x", url="http://5/"),
    ]
    entries = read_back(tmp_path, DoorServers().document(servers))
    assert sorted(entry.url for entry in entries.values()) == [f"http://{number}/" for number in range(1, 6)]


def test_what_the_reader_would_refuse_is_left_out_and_told(tmp_path: Path) -> None:
    servers = [found(f"s{number:03d}") for number in range(MOST_SERVERS + 2)]
    servers += [found("aa", url="ftp://x/"), found("ab", url="http://x/ y"), found("ac", url="http://x/" + "y" * 3000)]
    door = DoorServers()
    assert len(read_back(tmp_path, door.document(servers))) == MOST_SERVERS
    assert door.left_out == ("local/aa", "local/ab", "local/ac", "local/s100", "local/s101")
    # More keys and values than the reader takes, in far fewer bytes.
    thousand = found("m", *(tool(f"t{each}") for each in range(1000)))
    many = [replace(thousand, name=f"m{number:02d}") for number in range(40)]
    entries = read_back(tmp_path, door.document(many))
    assert 30 < len(entries) < 40
    assert len(door.left_out) == 40 - len(entries)
    assert len(DoorServers(100_000).document(many).encode()) <= 100_000


def test_the_file_on_this_machine_stays_readable(tmp_path: Path) -> None:
    told: list[str] = []
    file = DoorFile(tmp_path, {"kubernetes"}, told.append)
    assert read_servers(file.path) == {}
    odd = LocalServer("kubernetes", "local", adapter="bridge", url="http://127.0.0.1:1/mcp")
    odd.listing = listing(tool(ROCKET), tool(LONG), tool("plain"))
    file.show([odd])
    assert read_servers(file.path)["local-kubernetes"].tools == {}, "what it says of itself vouches for nothing"
    odd.reference = Reference(seen={})
    file.show([odd])
    assert read_servers(file.path)["local-kubernetes"].tools == {}, "nor does having been seen"
    odd.reference = Reference(tools_hash=tools_hash(odd.listing))
    file.show([odd])
    assert read_servers(file.path)["local-kubernetes"].tools.keys() == {ROCKET, "plain"}
    assert told == []
    elsewhere = LocalServer("elsewhere", "local", adapter="bridge", url="gopher://127.0.0.1/")
    elsewhere.listing = odd.listing
    file.show([odd, elsewhere])
    assert read_servers(file.path).keys() == {"local-kubernetes"}
    file.show([odd, elsewhere])
    odd.url = "http://127.0.0.1:2/mcp"
    file.show([odd, elsewhere])
    assert told == ["local/elsewhere is not behind the door: too many servers or tools, or an address it cannot hold"]


def test_a_full_disk_is_told_once_and_the_file_written_when_there_is_room(tmp_path: Path) -> None:
    told: list[str] = []
    file = DoorFile(tmp_path, (), told.append)
    fresh = file.path.with_suffix(".new")
    fresh.symlink_to("/dev/full")
    server = LocalServer("odd", "local", adapter="bridge", url="http://127.0.0.1:1/mcp")
    server.listing = listing(tool())
    for _ in range(3):
        file.show([server])
    assert (read_servers(file.path), file.is_behind) == ({}, True)
    text = f"the door keeps the foreign servers that it has: {fresh} cannot be written (No space left on device)"
    assert told == [text]
    fresh.unlink()
    file.show([server])
    assert (set(read_servers(file.path)), file.is_behind, told) == ({"odd"}, False, [text])


def test_only_what_a_person_has_pinned_is_vouched_for() -> None:
    listed = listing(tool(), tool("gone", annotations=DESTROY))
    pinned = Reference(tools_hash=tools_hash(listed))
    assert vouched(pinned, listed) == {"query": "read", "gone": "destroy"}
    assert vouched(pinned, listing(tool())) == {}
    graver = listing(tool(_meta={"kmcp-suite/tool": {"effect": "write"}}))
    assert vouched(Reference(tools_hash=tools_hash(graver)), graver) == {"query": "write"}
    entry = Reference("e", tools=(entry_of(tool(annotations=DESTROY), effect=Effect.WRITE), entry_of(tool("other"))))
    assert vouched(entry, listing(tool(annotations=DESTROY), tool("other", description="More"))) == {"query": "write"}
    for nothing in (None, Reference(seen={})):
        assert vouched(nothing, listed) == {}
