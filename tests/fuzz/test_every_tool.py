"""Every tool before a hostile backend: no `internal`, no secret, no words of others as ours, no stall (I2, S1)."""

import asyncio
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kmcp_runtime import ToolSpec
from tests.fuzz.calls import arguments_of
from tests.fuzz.worlds import LONGEST_STALL, SERVERS, World
from tests.slowness import scaled
from tests.trust import Trust

EXAMPLES = int(os.environ.get("KMCP_FUZZ_EXAMPLES", "3"))
"""Calls of each tool. More are for an hour on a machine of its own."""
FEW = settings(
    max_examples=EXAMPLES,
    deadline=None,
    # To shrink a finding would take minutes; the message has the call and the seed.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    derandomize=EXAMPLES <= 10,
)


def each_tool() -> list[Any]:
    return [
        pytest.param(name, declared, id=declared.name)
        for name, server in sorted(SERVERS.items())
        for declared in server.tools()
    ]


@pytest.mark.parametrize(("server", "declared"), each_tool())
async def test_a_hostile_backend_breaks_no_promise(
    worlds: dict[str, World], server: str, declared: ToolSpec, trust: Trust
) -> None:
    found = worlds[server]
    drawn: list[tuple[dict[str, Any], int]] = []

    @FEW
    @given(arguments_of(declared), st.integers(0, 2**32))
    def draw(arguments: dict[str, Any], seed: int) -> None:
        drawn.append((arguments, seed))

    # Beside the loop: what drawing takes would count as a stall of the first call.
    await asyncio.to_thread(draw)

    async def call_each() -> None:
        for arguments, seed in drawn:
            await found.call(declared.name, arguments, seed)

    stall = await found.shortest_stall(call_each)
    trust.count("fuzzed calls", server, calls=len(drawn), findings=0, longest_stall_in_s=stall)
    trust.count("Secret objects", "probes by fuzzed calls", probes=len(drawn), values_shown=0)
    assert stall < scaled(LONGEST_STALL), f"{declared.name}: the event loop stood still for {stall:.2f} s"
