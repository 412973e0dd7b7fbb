"""The live catalog in memory and as ConfigMaps: one truth before and after a restart."""

import json
from typing import Any

import pytest

from kmcp_controller.catalog.configmaps import InconsistentError, publication, read
from kmcp_controller.catalog.live_document import LiveDocument
from tests.controller.listings import READ, listing, ready, server, tool


class Clock:
    hours = 0

    def __call__(self) -> str:
        self.hours += 1
        return f"2026-01-01T{self.hours:02d}:00:00Z"


def many(count: int, **changes: Any) -> LiveDocument:
    live = LiveDocument(Clock())
    for number in range(count):
        live.update(server(f"s{number}", *(tool(f"s{number}_{each}") for each in range(5)), **changes))
    return live


def test_readiness_and_times_are_in_no_hash_tools_and_match_are() -> None:
    live = LiveDocument(Clock())
    live.update(server())
    first = live.document()
    live.update(server(conditions=ready("False", "NotAvailable")))
    assert live.document()["hash"] == first["hash"]
    assert live.document()["servers"][0]["ready"] is False
    assert live.document()["servers"][0]["changedAt"] == first["servers"][0]["changedAt"]
    for change in (
        {"conditions": ready(match="Drift")},
        {"url": "http://other"},
        {"listing": listing(tool(description="Poisoned."))},
    ):
        live.update(server(**change))
        assert live.document()["hash"] != first["hash"], change
    assert live.document()["servers"][0]["changedAt"] > first["servers"][0]["changedAt"]


def test_a_tool_listed_twice_does_not_hide_behind_the_other() -> None:
    live = LiveDocument()
    live.update(server("a", tool(description="Poisoned."), tool()))
    live.update(server("b", tool()))
    first, second = live.document()["servers"]
    assert first["hash"] != second["hash"]
    assert first["tools"][1]["problems"] == ["this name is listed twice"]


def test_the_document_is_made_once_and_told_when_it_changes() -> None:
    live = many(2)
    live.changed.clear()
    assert live.document() is live.document()
    live.update(server("s0", *(tool(f"s0_{each}") for each in range(5))))
    assert not live.changed.is_set()
    live.remove("tools", "s0")
    live.remove("tools", "s0")
    assert live.changed.is_set()
    assert [each["name"] for each in live.document()["servers"]] == ["s1"]
    assert [each["name"] for each in live.removed()] == ["s0"]


def test_a_restart_shows_what_was_published_until_it_knows_better() -> None:
    before = many(3)
    index = publication(before.document(), "tools").index
    after = LiveDocument(Clock())
    after.restore(read(index, []))
    assert after.document()["hash"] == before.document()["hash"]
    after.update(server("s0", listing=None))
    one = after.get("tools", "s0")
    assert one is not None
    assert (one["stale"], one["toolCount"], one["changedAt"]) == (True, 5, "2026-01-01T01:00:00Z")
    assert after.document()["hash"] == before.document()["hash"]
    after.update(server("s0", *(tool(f"s0_{each}") for each in range(5))))
    assert after.document()["hash"] == before.document()["hash"]
    renewed = after.get("tools", "s0")
    assert renewed is not None
    assert (renewed["stale"], renewed["changedAt"]) == (False, "2026-01-01T01:00:00Z")
    after.update(server("s1", listing=None, uid="another"))
    assert (after.get("tools", "s1") or {})["toolCount"] == 0, "another object of that name has listed nothing"
    after.keep([("tools", "s0"), ("tools", "s1")])
    assert [each["name"] for each in after.document()["servers"]] == ["s0", "s1"]


def test_a_follower_shows_exactly_what_is_published() -> None:
    live, follower = many(3), many(4)
    follower.follow(live.document())
    assert follower.document() == live.document()


def content(largest: int, live: LiveDocument, index: dict[str, Any] | None = None) -> dict[str, dict[str, Any]]:
    """The objects in the cluster after a publication, by name."""
    found = publication(live.document(), "tools", index, largest)
    return {each["metadata"]["name"]: each for each in (*found.shards, found.index)}


def test_the_form_follows_the_size() -> None:
    live = many(12)
    whole = len(json.dumps(live.document(), separators=(",", ":")))
    forms = {}
    for largest in (2 * whole, whole // 2, whole // 8):
        found = content(largest, live)
        index = found.pop("kmcp-catalog")
        forms[largest] = sorted([*index["data"], *index.get("binaryData", {})]), len(found)
        assert read(index, found.values()) == live.document()
        for each in (index, *found.values()):
            values = {**each.get("data", {}), **each.get("binaryData", {})}.values()
            assert sum(map(len, values)) <= largest
        summary = json.loads(index["data"]["index.json"])
        assert summary["hash"] == live.document()["hash"]
        assert [each["name"] for each in summary["servers"]] == [each["name"] for each in live.document()["servers"]]
        assert "tools" not in summary["servers"][0]
    shapes = [*forms.values()]
    assert shapes[0] == (["catalog.json", "index.json"], 0)
    assert shapes[1] == (["catalog.json.gz", "index.json"], 0)
    assert shapes[2][0] == ["index.json"]
    assert shapes[2][1] > 1


LARGEST = 2500


def test_a_new_shard_never_takes_the_place_of_a_published_one() -> None:
    live = many(12)
    old = content(LARGEST, live)
    live.update(server("s5", tool("other")))
    found = publication(live.document(), "tools", old["kmcp-catalog"], LARGEST)
    objects = {each["metadata"]["name"]: each for each in found.shards}
    shared = objects.keys() & old.keys()
    assert shared, "servers that did not change stay where they are"
    assert objects.keys() - old.keys()
    assert all(objects[name] == old[name] for name in shared)
    between = old | objects
    assert read(old["kmcp-catalog"], between.values())["hash"] != live.document()["hash"]
    assert read(found.index, between.values()) == live.document()


@pytest.mark.parametrize("damage", ["lost", "other", "garbage"])
def test_shards_of_different_times_are_no_document(damage: str) -> None:
    live = many(12)
    found = content(LARGEST, live)
    index = found.pop("kmcp-catalog")
    first, second, *rest = found.values()
    damaged = {
        "lost": [],
        "other": [{**first, "binaryData": second["binaryData"]}],
        "garbage": [{**first, "binaryData": {"servers.json.gz": "AAAA"}}],
    }
    with pytest.raises(InconsistentError):
        read(index, [second, *rest, *damaged[damage]])


def wide(count: int, schema: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Tools whose schemas do not compress away."""
    words = (str(hash((number, count))) for number in range(10**6))

    def grown() -> dict[str, Any]:
        return {"type": "object", "properties": {next(words): {"description": next(words)} for _ in range(20)}}

    return [tool(f"t{n}", inputSchema=schema or grown(), outputSchema=grown(), annotations=READ) for n in range(count)]


@pytest.mark.parametrize(
    ("tools", "lost"),
    [
        (wide(8, {"type": "object"}), ["outputSchema"]),
        (wide(8), ["outputSchema", "inputSchema"]),
        (wide(200), ["outputSchema", "inputSchema", "tools"]),
    ],
)
def test_a_server_that_is_too_large_loses_schemas_and_says_so(tools: list[dict[str, Any]], lost: list[str]) -> None:
    live = many(12)
    live.update(server("large", *tools))
    found = content(LARGEST, live)
    document = read(found["kmcp-catalog"], found.values())
    large = next(each for each in document["servers"] if each["name"] == "large")
    assert large["truncated"] == lost
    assert large["toolCount"] == len(tools)
    assert document["hash"] == live.document()["hash"]
    restarted = LiveDocument()
    restarted.restore(document)
    assert restarted.document()["hash"] == live.document()["hash"]
    summary = json.loads(found["kmcp-catalog"]["data"]["index.json"])
    assert next(each for each in summary["servers"] if each["name"] == "large")["truncated"] == lost
