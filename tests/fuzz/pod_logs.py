"""A pod with a log of these lines, before the server for Kubernetes."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.fuzz.cluster_standin import StandIn
from tests.fuzz.test_broken_answers import POD, VALID, WEB
from tests.fuzz.worlds import World, world


@asynccontextmanager
async def pod_with_log(folder: Path, lines: Sequence[str]) -> AsyncIterator[World]:
    """The pod is `web`, in the namespace of the context."""
    log = "".join(f"2026-11-01T00:00:00.{number}Z {line}\n" for number, line in enumerate(lines))
    async with world("kubernetes", folder) as found:
        assert isinstance(found.standin, StandIn)
        found.standin.seed = VALID
        found.standin.fixed |= {WEB: POD, f"{WEB}/log": log}
        yield found
