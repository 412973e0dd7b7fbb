"""Regular expressions that compile or search for long are refused, and the event loop never waits for them."""

import time
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmcp_prometheus.promql.lexer import TooDeep
from kmcp_prometheus.promql.parser import parse
from kmcp_runtime.errors import ToolFailure
from kmcp_runtime.patterns import LONGEST, MOST_INSTRUCTIONS, TooComplex, bounded, pattern
from tests.fuzz.pod_logs import pod_with_log
from tests.fuzz.worlds import World
from tests.mcp import ToolCaller
from tests.slowness import scaled

BLOCKED_SECONDS = 0.2
COMPILE_SECONDS = 0.02
LINES = ["x" * 5000] * 8 + ["last line"]
LARGE = (
    "(?i)" + "x{0,1000}" * 21,
    "[^a]{0,999}" * 17,
    "(?:x?){1000}" * 14 + "y",
    r"\pL{100}",
    "(?i)" + "".join(f"{letter}{{0,1000}}" for letter in "abcdefghijklmnop"),
)
MODEST = (
    r"\p{L}+ line",
    r"(?i)(error|warn|fatal|panic|timeout|refused|denied|failed|last)",
    "l.{0,100}e$",
    "^last x?",
)


@pytest.fixture(scope="module")
async def pod(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with pod_with_log(tmp_path_factory.mktemp("logs"), LINES) as found:
        yield found


@pytest.fixture
def tools(pod: World) -> ToolCaller:
    return ToolCaller(pod.client)


@pytest.mark.parametrize("match", LARGE)
async def test_an_expression_that_is_too_large_is_refused_at_once(pod: World, tools: ToolCaller, match: str) -> None:
    async def call() -> None:
        error = await tools.fails("k8s_get_pod_logs", pod_name="web", match=match)
        assert error["code"] == "bad_argument"
        assert "match: the regular expression is too large when its repetitions count" in error["message"]
        assert "repetitions" in error["hint"]

    assert await pod.shortest_stall(call) < scaled(BLOCKED_SECONDS)


async def test_a_search_that_takes_long_leaves_the_loop_free(pod: World, tools: ToolCaller) -> None:
    async def call() -> None:
        found = await tools.ok("k8s_get_pod_logs", pod_name="web", match="(?:x?){600}y")
        assert found["lines"] == []

    assert await pod.shortest_stall(call) < scaled(BLOCKED_SECONDS)


@pytest.mark.parametrize("match", MODEST)
async def test_usual_expressions_are_taken(tools: ToolCaller, match: str) -> None:
    found = await tools.ok("k8s_get_pod_logs", pod_name="web", match=match)
    assert found["lines"] == ["last line"]


def test_a_text_of_that_length_is_not_searched() -> None:
    wanted = pattern("(?:x?){600}y", "match")
    with pytest.raises(TooComplex, match="match: too complex for a text of 4194304 characters"):
        wanted.found_in("x" * (4 << 20))
    assert pattern("y$", "match").found_in("x" * (4 << 20) + "y")


_ATOMS = (
    "x",
    "[^a]",
    r"\pL",
    r"\p{Greek}",
    r"\w",
    ".",
    "(?:x?)",
    "(?i)k",
    "[a-z]",
    "é",
    "(a|b)",
    "[[:alpha:]]",
    r"\b",
    "|",
)
_TIMES = ("", "*", "+?", "?", "{0,1000}", "{1000}", "{100}", "{0,99}", "{2}{3}{10}")
_atoms = st.builds(str.__add__, st.sampled_from(_ATOMS), st.sampled_from(_TIMES))
_groups = st.builds("({}){}".format, st.lists(_atoms, max_size=4).map("".join), st.sampled_from(_TIMES))


@given(st.lists(_atoms | _groups, min_size=1, max_size=40).map(lambda parts: "".join(parts)[:LONGEST]))
@settings(deadline=None, max_examples=300)
def test_any_expression_compiles_or_is_refused_in_no_time(expression: str) -> None:
    """A compiler's run is one step, in which no other thread runs: 10 ms at most on a quiet machine."""

    def took() -> float:
        began = time.thread_time()
        with suppress(ToolFailure):
            pattern(expression, "match")
        return time.thread_time() - began

    # The first of three is mostly below it; a clock of a busy machine ticks every ten milliseconds.
    assert any(took() < scaled(COMPILE_SECONDS) for _ in range(3)), expression


def test_the_expressions_of_one_call_are_bounded_together() -> None:
    began = time.process_time()
    with bounded(), pytest.raises(TooComplex, match="n: the regular expressions of this call are too large together"):
        _compile_many()
    assert time.process_time() - began < scaled(BLOCKED_SECONDS)


def _compile_many() -> None:
    for number in range(MOST_INSTRUCTIONS):
        pattern(f"(?i)x{{0,1000}}{number}", "n")


@pytest.mark.parametrize("repeated", ["x{0,1000}x{0,1000}", "x{0,1000}", "x{0,1000}" * 9])
def test_matchers_of_promql_are_left_to_the_backend(repeated: str) -> None:
    matchers = ",".join(f'l{number}=~"(?i){repeated}{number}"' for number in range(160))
    began = time.process_time()
    with bounded(), pytest.raises(TooDeep, match="regular expression"):
        parse(f"up{{{matchers}}}")
    assert time.process_time() - began < scaled(BLOCKED_SECONDS)
    longest = "|".join(f"pod-{number}-abcdef" for number in range(240))
    with bounded():
        assert parse(f'up{{pod=~"{longest}",job!~"{longest}x"}}')


async def test_searches_of_one_call_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kmcp_runtime.patterns.SEARCH_SECONDS", 0.0)
    with pytest.raises(TooComplex, match="the search takes more than 0 s"):
        await pattern("(?:x?){600}y", "filter").kept(["x" * 1000] * 10, str)
