"""D4: nothing that changes leaves a read-only process, whatever its tools declare and whatever they are called with.

Each tool is declared to be one that reads: then no list and no check of a tool's effect stands before the doors, and
what is recorded behind them is what the doors alone let through.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from kmcp_runtime import ERROR_META, Effect, ToolSpec
from tests.cilium.examples import EXAMPLES
from tests.fuzz import proper
from tests.fuzz.calls import arguments_of
from tests.fuzz.cluster_standin import StandIn
from tests.fuzz.hostile_answers import mood_of
from tests.fuzz.worlds import SERVERS, World, world

WALKED = ("argo", "cilium", "helm", "istio", "prometheus")
CALLS = 6
"""Calls of each tool, beside the usual ones."""
FEW = settings(
    max_examples=CALLS,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)
SEEDS = [seed for seed in range(200) if mood_of(seed) == "valid"]
"""The backend answers calls of these as it should: a tool then gets to its change."""
_QUESTIONS = ("reviews",)
_QUERIES = ("query", "query_range", "query_exemplars", "series", "labels", "format_query", "parse_query")
_CHANGING_WORDS = frozenset(
    [
        "install",
        "upgrade",
        "uninstall",
        "rollback",
        "delete",
        "update",
        "set",
        "flush",
        "disconnect",
        "labels",
        "clean",
        "import",
    ]
)
_DOOR = "this would change something"


def changes(sent: list[str]) -> list[str]:
    """What of it may change something: judged by the test's own rule, which is coarser than the doors'."""
    return [line for line in sent if _changes(line)]


def _changes(line: str) -> bool:
    verb, *words = line.split(" ")
    if verb in ("helm", "istioctl"):
        return bool(_CHANGING_WORDS & set(words[:2])) and not any(word.startswith("--dry-run") for word in words)
    if verb == "EXEC":
        # `cilium-dbg config Option=value` and `cilium-dbg endpoint config 5 Option=value`.
        sets = "config" in words[1:3] and any("=" in word and not word.startswith("-") for word in words)
        return sets or bool(_CHANGING_WORDS & set(words[1:4])) or "POST" in words
    last = words[0].rsplit("/", 1)[-1]
    return verb != "GET" and not last.endswith(_QUESTIONS) and last not in _QUERIES


def _reading(declared: ToolSpec) -> ToolSpec:
    return replace(declared, effect=Effect.READ, worst=Effect.READ, by=None)


def _each_tool() -> list[Any]:
    return [pytest.param(name, declared, id=declared.name) for name in WALKED for declared in SERVERS[name].tools()]


def calls_of(declared: ToolSpec) -> list[dict[str, Any]]:
    """Arguments by the tool's schema, and those that other tests use; each also without `dry_run`."""
    drawn: list[dict[str, Any]] = []

    @FEW
    @given(arguments_of(declared))
    def draw(arguments: dict[str, Any]) -> None:
        drawn.append(arguments)

    draw()
    if declared.name in proper.CALLS:
        drawn.append(proper.CALLS[declared.name])
    if declared.name in EXAMPLES:
        drawn += EXAMPLES[declared.name].calls({"{ns}": "default", "{web}": "10.0.0.1:80"})
    real = [{name: value for name, value in each.items() if name != "dry_run"} for each in drawn]
    return [*drawn, *(each for each in real if each not in drawn)]


@pytest.fixture(scope="module")
async def read_only(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, World]]:
    """Read-only servers whose tools all claim to read."""
    async with AsyncExitStack() as stack:
        yield {name: await _proper(stack, name, tmp_path_factory, _reading, read_only=True) for name in WALKED}


@pytest.fixture(scope="module")
async def changing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, World]]:
    """The same servers as they are, for whom no one need be asked."""
    async with AsyncExitStack() as stack:
        yield {name: await _proper(stack, name, tmp_path_factory, lambda tool: tool) for name in WALKED}


async def _proper(
    stack: AsyncExitStack,
    name: str,
    folders: pytest.TempPathFactory,
    declared: Callable[[ToolSpec], ToolSpec],
    **runtime: Any,
) -> World:
    made = world(name, folders.mktemp(name), declared, proper.OWN.get(name, {}), **runtime)
    found = await stack.enter_async_context(made)
    if isinstance(found.standin, StandIn):
        proper.answer_properly(found, found.standin)
    return found


async def _walk(found: World, declared: ToolSpec) -> list[str]:
    """The messages of all errors."""
    said = []
    for number, arguments in enumerate(calls_of(declared)):
        found.standin.seed = SEEDS[number % len(SEEDS)]
        result = await found.client.call_tool(declared.name, arguments, raise_on_error=False)
        if result.is_error:
            said.append(str((result.meta or {})[ERROR_META]["message"]))
    return said


@pytest.mark.parametrize(("server", "declared"), _each_tool())
async def test_D4_the_doors_of_a_read_only_server_let_no_change_through(
    read_only: dict[str, World], server: str, declared: ToolSpec
) -> None:
    found = read_only[server]
    said = await _walk(found, declared)
    assert changes(found.take_sent()) == []
    if declared.worst is Effect.READ:
        # A door that takes reading for a change would make a read-only server useless.
        assert not [message for message in said if _DOOR in message]


@pytest.mark.parametrize("server", WALKED)
async def test_the_same_calls_change_something_where_that_is_allowed(changing: dict[str, World], server: str) -> None:
    """Else the walk above would show nothing."""
    found, quiet = changing[server], []
    for declared in SERVERS[server].tools():
        await _walk(found, declared)
        changed = changes(found.take_sent())
        if declared.worst is Effect.READ and declared.by is None:
            assert changed == [], declared.name
        elif not changed:
            quiet.append(declared.name)
    assert sorted(quiet) == sorted(name for name in proper.UNREACHED if name.startswith(server))
