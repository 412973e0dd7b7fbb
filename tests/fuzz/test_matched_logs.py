"""G1: `match` of a log looks at the lines as they are shown, so it tells nothing of what is hidden in them."""

from collections.abc import AsyncIterator

import pytest

from kmcp_runtime import redaction
from tests.fuzz.pod_logs import pod_with_log
from tests.mcp import ToolCaller

CODE = "48151623"
"""Of a Secret that somebody has read; nothing but the register knows it."""
VALUE = "Zq9vKr27LmTx81pBd"
LINES = [
    f"hello token={VALUE} world",
    "hello there",
    f"got code {CODE} from a user",
    "-----BEGIN RSA PRIVATE KEY-----",
    VALUE,
    "-----END RSA PRIVATE KEY-----",
]


@pytest.fixture(scope="module")
async def tools(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ToolCaller]:
    async with pod_with_log(tmp_path_factory.mktemp("logs"), LINES) as found:
        yield ToolCaller(found.client)


@pytest.mark.parametrize(
    "match", ["Zq9", "token=Z", "^hello token=[A-Z]", f"token=.{{{len(VALUE)}}} ", "^Zq", "PRIVATE KEY"]
)
async def test_a_guess_of_a_hidden_value_matches_nothing(tools: ToolCaller, match: str) -> None:
    found = await tools.ok("k8s_get_pod_logs", pod_name="web", match=match)
    assert found["lines"] == []


async def test_what_is_shown_matches_and_stays_hidden(tools: ToolCaller) -> None:
    found = await tools.ok("k8s_get_pod_logs", pod_name="web", match="^hello")
    assert found["lines"] == ["hello token=[hidden] world", "hello there"]


@pytest.mark.parametrize(("match", "found"), [(CODE, []), ("48151624", []), (f"got code|{CODE}", ["got code"])])
async def test_a_right_guess_in_match_shows_no_more_than_a_wrong_one(
    tools: ToolCaller, match: str, found: list[str]
) -> None:
    redaction.learn(CODE)
    lines = (await tools.ok("k8s_get_pod_logs", pod_name="web", match=match))["lines"]
    assert [line[:8] for line in lines] == found
    assert CODE not in str(lines)
