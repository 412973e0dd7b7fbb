"""Cursors that a caller wrote, with the fingerprint of one that he was given: `bad_argument`, never `internal`."""

import base64
import json
import zlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kmcp_runtime import ToolSpec, cursors
from kmcp_runtime.errors import ToolFailure
from tests.fuzz.calls import calls_like_others
from tests.fuzz.test_broken_answers import VALID
from tests.fuzz.worlds import SERVERS, World
from tests.mcp import ToolCaller

KEYS = "ckilobpntsv"
ODD: tuple[Any, ...] = (-1, 10**30, 1.5, True, None, [], {"a": 1}, "x", "", "\ud800", "a\0b", "9", 0, 1, 1 << 53)
BODIES = st.dictionaries(
    st.sampled_from([*KEYS, "token", "groups", "rules", "zz"]),
    st.sampled_from(ODD) | st.integers() | st.text(max_size=5),
    min_size=1,
    max_size=4,
)


def written(body: Any) -> str:
    return base64.urlsafe_b64encode(zlib.compress(json.dumps(body).encode(), 9)).decode().rstrip("=")


def fingerprint(cursor: str) -> str:
    """As everyone can read it in a cursor that he has."""
    return str(json.loads(zlib.decompress(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))))["h"])


def listing_tools() -> list[Any]:
    return [
        pytest.param(name, declared, id=declared.name)
        for name, server in sorted(SERVERS.items())
        for declared in server.tools()
        if "cursor" in declared.input_schema()["properties"]
    ]


@pytest.mark.parametrize(("server", "declared"), listing_tools())
async def test_no_forged_cursor_breaks_a_tool(
    worlds: dict[str, World], server: str, declared: ToolSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A caller reads the fingerprint in a cursor that he was given; most answers of a stand-in have none.
    monkeypatch.setattr(cursors, "_fingerprint", lambda arguments: "h")
    calls = calls_like_others(declared)
    bodies: list[dict[str, Any]] = [{"o": "x", "k": [], "l": -1}, {"o": None}]

    @settings(
        max_examples=3 if len(calls) == 1 else 10,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(BODIES)
    def draw(body: dict[str, Any]) -> None:
        bodies.append(body)

    draw()
    for number, body in enumerate(bodies):
        arguments = {**calls[number % len(calls)], "cursor": written({**body, "h": "h"})}
        await worlds[server].call(declared.name, arguments, VALID)


@pytest.mark.parametrize("value", [None, [], {}, -1, "x", 1.5, True, 10**30, 3])
async def test_a_forged_cursor_of_several_kinds(worlds: dict[str, World], value: Any) -> None:
    client = worlds["kubernetes"].client
    about: dict[str, Any] = {"resource_type": "pods,services", "output": "json", "limit": 1}
    worlds["kubernetes"].standin.seed = VALID
    tools = ToolCaller(client)
    mark = fingerprint((await tools.ok("k8s_get_resources", **about))["cursor"])
    for body in ({"k": value}, {"k": 0, "i": value}, {"k": 0, "z": 1}):
        failed = await tools.fails("k8s_get_resources", **about, cursor=written({**body, "h": mark}))
        assert failed["code"] == "bad_argument"


@given(BODIES)
def test_a_position_is_what_its_tool_writes_or_is_refused(body: dict[str, Any]) -> None:
    parts: dict[str, cursors.Part] = {"o": cursors.COUNT, "l": cursors.SIZE, "t": str}
    cursor = cursors.encode(body, {})
    if all(name in parts and _fits(value, parts[name]) for name, value in body.items()):
        assert cursors.decode(cursor, {}, **parts) == body
    else:
        with pytest.raises(ToolFailure, match="cursor: this tool did not issue it"):
            cursors.decode(cursor, {}, **parts)


def _fits(value: Any, part: cursors.Part) -> bool:
    if isinstance(part, range):
        return type(value) is int and part.start <= value < part.stop
    return isinstance(value, str) and value.isprintable()


def test_what_was_issued_comes_back() -> None:
    for position in ({"o": 0}, {"o": 5, "t": "abc=="}, {}):
        assert cursors.decode(cursors.encode(position, {"a": 1}), {"a": 1}) == position
