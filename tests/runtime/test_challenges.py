"""Words in front of an equals sign, in what registries and agents send: read in no time, however long they are."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from kmcp_cilium.agents.log_lines import log_fields
from kmcp_cilium.state.envoy_items import items
from kmcp_runtime import challenges
from tests.slowness import scaled

LONG = 300_000


def test_a_challenge_is_its_scheme_and_what_it_names() -> None:
    header = 'BEARER realm="https://a.example/token?x=1",service="registry", scope="repository:a/b:pull"'
    named = {"realm": "https://a.example/token?x=1", "service": "registry", "scope": "repository:a/b:pull"}
    assert challenges.parse(header) == ("bearer", named)
    assert challenges.parse('Basic realm="x"') == ("basic", {"realm": "x"})
    assert challenges.parse("") == ("", {})


@pytest.mark.parametrize(
    "read",
    [
        lambda word: challenges.parse(f"Bearer {word}"),
        log_fields,
        lambda word: items("metrics", f"envoy_requests{{{word}}} 1"),
    ],
    ids=["challenge", "log", "labels"],
)
@pytest.mark.parametrize("word", ["a" * LONG, 'a="' * (LONG // 3), '"a' * (LONG // 2)], ids=["word", "open", "quotes"])
def test_a_long_word_takes_no_time(read: Callable[[str], Any], word: str) -> None:
    began = time.process_time()
    read(word)
    assert time.process_time() - began < scaled(1)
