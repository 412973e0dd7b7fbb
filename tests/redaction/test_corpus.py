"""What a machine can recognise is hidden, and what is harmless stays as it is: measured by kind on a corpus that grows.

One case a line. `text` or `value` is what goes out; `secret` must not be in what is left of it.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kmcp_runtime import redaction
from kmcp_runtime.redaction.known import REGISTER
from tests.trust import Trust

HERE = Path(__file__).parent
LEAST_HIDDEN = 0.98
MOST_CHANGED = 0.01


def cases(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (HERE / f"{name}.jsonl").read_text().splitlines()]


def shown(case: dict[str, Any]) -> Any:
    return redaction.text(case["text"]) if "text" in case else redaction.value(case["value"])


def test_planted_secrets_are_hidden(trust: Trust) -> None:
    planted = cases("planted")
    total = Counter(case["kind"] for case in planted)
    leaked = [case for case in planted if case["secret"] in json.dumps(shown(case), ensure_ascii=False)]
    lost = Counter(case["kind"] for case in leaked)
    for kind, count in total.items():
        trust.count("secrets planted", kind, hidden=count - lost[kind], planted=count)
    assert len(planted) >= 400
    below = [kind for kind, count in total.items() if 1 - lost[kind] / count < LEAST_HIDDEN]
    assert not below, [case for case in leaked if case["kind"] in below]


def test_harmless_things_are_shown(trust: Trust) -> None:
    # The register belongs to the process: what other tests made known would be hidden here, too.
    REGISTER.forget()
    harmless = cases("harmless")
    changed = [case for case in harmless if shown(case) != case.get("text", case.get("value"))]
    trust.count("harmless things", "of the corpus", changed=len(changed), shown=len(harmless) - len(changed))
    assert len(harmless) >= 250
    assert len(changed) <= MOST_CHANGED * len(harmless), changed


@given(st.text(max_size=400))
def test_any_text_is_read_and_a_second_time_changes_nothing(text: str) -> None:
    once = redaction.text(text)
    assert redaction.text(once) == once
