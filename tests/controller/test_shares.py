"""What a foreign server lists takes its own share of the catalog and of an object of the cluster, and no more (D6)."""

import asyncio
import json
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kmcp_controller.catalog.configmaps import LARGEST, publication, read
from kmcp_controller.catalog.live_document import LiveDocument
from kmcp_controller.discovery.first_sights import NAME, arrange
from kmcp_controller.discovery.mcp_client import fetch_listing
from kmcp_controller.discovery.pins import first_sight
from tests.controller.listings import listing, server, tool
from tests.controller.test_discovery import asked, serving
from tests.controller.test_foreign_handshakes import LIST, MODERN, answering
from tests.slowness import scaled

LARGEST_OBJECT = 200_000  # bytes, as kubectl would put it into its annotation
EVERYTHING = {**MODERN, "capabilities": {"tools": {}, "prompts": {}, "resources": {}}}


def noise(seed: int, length: int) -> str:
    """Text that does not compress."""
    return random.Random(seed).randbytes(length // 2).hex()


def items(kind: str, count: int, length: int) -> list[dict[str, Any]]:
    icons = [{"src": f"data:image/png;base64,{noise(length, length)}"}]
    return [
        {"name": f"{kind}{n}", "uri": "x://y", "description": noise(n, length), "icons": icons} for n in range(count)
    ]


def published(live: LiveDocument) -> dict[str, Any]:
    """The document as a reader finds it; no object on the way is larger than may be."""
    found = publication(live.document(), "tools")
    for each in (found.index, *found.shards):
        assert len(json.dumps(each)) <= LARGEST_OBJECT, each["metadata"]["name"]
    return read(found.index, found.shards)


shares = st.fixed_dictionaries(
    {
        "tools": st.integers(0, 300),
        "schema": st.sampled_from([0, 100, 20_000, 200_000]),
        "prompts": st.integers(0, 1000),
        "resources": st.integers(0, 1000),
        "length": st.sampled_from([0, 50, 2000, 16_384]),
    }
)


@given(st.lists(shares, min_size=1, max_size=3))
@settings(deadline=None, max_examples=8, suppress_health_check=list(HealthCheck))
def test_whatever_one_lists_the_others_are_published(large: list[dict[str, int]]) -> None:
    """D6: what is left out is told; names, counts and hashes of all servers are there, and all of the small ones."""
    live = LiveDocument()
    for n in range(5):
        live.update(server(f"small{n}"))
    for number, each in enumerate(large):
        count = min(each["tools"], 4_000_000 // (each["schema"] + 1000))
        schema = {"type": "object", "properties": {"a": {"description": noise(number, each["schema"])}}}
        found = listing(*(tool(f"t{n}", inputSchema=schema) for n in range(count)))
        length = min(each["length"], 4_000_000 // (each["prompts"] + each["resources"] + 1))
        found.prompts.extend(items("prompt", each["prompts"], length))
        found.resources.extend(items("resource", each["resources"], length))
        live.update(server(f"large{number}", listing=found))
    there, kept = live.document()["servers"], published(live)["servers"]
    assert [each["name"] for each in kept] == [each["name"] for each in there]
    for before, after in zip(there, kept, strict=True):
        missing = set(after.get("truncated", ()))
        told = {key for key in ("prompts", "resources", "tools") if before[key] != after[key]}
        assert {key for key in told if key != "tools"} <= missing
        assert not told or missing, after["name"]
        assert not (missing and after["name"].startswith("small"))
        assert (after["hash"], after["toolCount"]) == (before["hash"], before["toolCount"])


def test_an_index_of_very_many_servers_stays_an_object() -> None:
    live = LiveDocument()
    for n in range(1500):
        live.update(server(f"s{n:04}", image=f"example.com/{noise(n, 200)}:1"))
    index = publication(live.document(), "tools").index
    summary = json.loads(index["data"]["index.json"])
    assert len(summary["servers"]) + summary["omitted"] == 1500
    assert summary["omitted"] > 0
    assert len(published(live)["servers"]) == 1500


async def test_prompts_and_resources_cost_no_tool() -> None:
    """D6: too many, too large, refused, malformed: the tools are there, and what is missing is told."""
    wrong: dict[str, dict[str, Any]] = {
        "more than 1000 prompts": {"prompts_list": {"prompts": items("p", 1200, 10)}},
        "more than 4 MiB": {"prompts_list": {"prompts": items("p", 2000, 2000)}},
        "no such method": {},
        "no list of prompts": {"prompts_list": {"prompts": {"a": 1}}},
        "not a text": {"prompts_list": {"prompts": [], "nextCursor": 5}},
    }
    for words, results in wrong.items():
        rest = {"resources_list": {"resources": items("r", 3, 10)}}
        found = await asked(answering(server_discover=EVERYTHING, tools_list=LIST, **results, **rest))
        assert [each["name"] for each in found.tools] == ["a"]
        assert len(found.missing) == (2 if "MiB" in words else 1), words
        assert words in found.missing[0]
        assert len(found.resources) == (0 if "MiB" in words else 3)
    assert (
        len(
            (
                await asked(answering(server_discover=EVERYTHING, tools_list=LIST, **wrong["more than 1000 prompts"]))
            ).prompts
        )
        == 1000
    )


async def test_a_list_of_prompts_that_never_comes_costs_no_tool() -> None:
    async def mcp(request: Request) -> Response:
        body = json.loads(await request.body())
        if body["method"] == "prompts/list":
            await asyncio.Event().wait()
        if body["method"] == "resources/list":
            return JSONResponse({}, 401)
        return answering(server_discover=EVERYTHING, tools_list=LIST)(body, request)

    async with serving(Starlette(routes=[Route("/mcp", mcp, methods=["POST"])])) as base:
        found = await fetch_listing(f"{base}/mcp", {}, scaled(2), at_least=1)
    assert [each["name"] for each in found.tools] == ["a"]
    assert found.missing[0] == "prompts: the first 0 alone are here (no answer in time)"


values = st.dictionaries(
    st.uuids().map(str), st.integers(0, 150_000).map(lambda length: "x" * length), min_size=1, max_size=12
)


@given(values, st.data())
@settings(deadline=None, max_examples=40)
def test_first_sights_are_in_objects_of_a_bounded_size(seen: dict[str, str], data: st.DataObject) -> None:
    """Also those of an earlier version, which had all of them in one; what does not change stays where it is."""
    early = data.draw(st.lists(st.sampled_from(sorted(seen)), unique=True))
    found = arrange(seen, {NAME: {uid: seen[uid] for uid in early}}, LARGEST)
    assert {uid: text for each in found.values() for uid, text in each.items()} == seen
    assert all(sum(map(len, each.values())) <= LARGEST for each in found.values())
    uid = min(seen)
    less = {key: text for key, text in seen.items() if key != uid}
    again = arrange(less, found, LARGEST)
    assert all(again[name] == {key: text for key, text in each.items() if key != uid} for name, each in found.items())


@pytest.mark.parametrize("name", ["t", "t" * 16_000])
def test_one_first_sight_is_a_share(name: str) -> None:
    found = first_sight(listing(*(tool(f"{name}{n}") for n in range(1000))))
    assert len(found) < LARGEST
    assert len(json.loads(found)) == 1000
