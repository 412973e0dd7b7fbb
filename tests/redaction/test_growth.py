"""No text is slow: twice the text takes about twice the time, whatever it is made of."""

import gc
import math
import time

import pytest

from kmcp_runtime import redaction
from kmcp_runtime.redaction import shapes

LENGTH = 100_000
MOST_GROWTH = 3.5
"""For twice the text; a linear search has 2, a quadratic one 4."""
TRIES = 10

# The slowest that a search over repeated pieces found: names of credentials, addresses, nesting, tokens.
UNITS = (
    "password: x",
    "a://b:c@d ",
    "a-token-b-token-c-token ",
    "tokentokentokentokentokentokentokentokentokentokentokentoken=",
    "<password>x</password>",
    "name: DB_PASSWORD\nvalue: a1b2c3d4\n",
    "password:\n",
    'password="a\\"',
    "\\\\\\\\token",
    "eyJ" + "a" * 60 + " ",
    "kind: Secret\ndata:\n a: b\n---\n",
    '{"a":',
    "[",
    "COPY u (id, password) FROM stdin;\n1\tx\n",
    '{"key":"',
    '["password","a1b2c3d4"] ',
    '"{\\"password\\":1}" ',
    "-----BEGIN PRIVATE KEY-----",
    *(f"{shape.hides}\n" for kind in ("whole", "part") for shape in shapes.table(kind)),
)


def seconds(text: str) -> float:
    # The time of a collection is that of all that the process of the tests holds.
    gc.disable()
    try:
        start = time.process_time()
        redaction.text(text)
        return time.process_time() - start
    finally:
        gc.enable()


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: repr(unit[:30]))
def test_time_grows_with_the_length_alone(unit: str) -> None:
    text = unit * (LENGTH // len(unit))
    redaction.text(unit)
    once = twice = math.inf
    # The shortest of each: whatever else this machine does makes a run longer, never shorter.
    for _ in range(TRIES):
        once, twice = min(once, seconds(text)), min(twice, seconds(text + text))
        if twice < MOST_GROWTH * once:
            break
    assert twice < MOST_GROWTH * once


def test_a_name_of_many_parts_is_read_in_one_way() -> None:
    """Each part could be a word or five letters: as many ways as there are combinations, if all were tried."""
    for text in ("secret: a{}_Z9", "secret: prod/a{}_Z9", "password: a{}-Z"):
        name = text.format("-abcde" * 5_000)
        assert seconds(name) < MOST_GROWTH * seconds(name.replace("-abcde", "-abcd1-"[:6])) + 0.5


def test_a_text_that_is_made_of_secrets_is_hidden_to_its_end() -> None:
    for unit in (
        "token=Zq7planted9Xw\n",
        "AKIAQ3EXAMPLE7ABCDEF\n",
        "postgres://u:Zq7planted9Xw@h/db\n",
        "hf_" + "a1B2" * 9 + " ",
    ):
        shown = redaction.text(unit * 20_000)
        assert not [secret for secret in ("Zq7planted9Xw", "AKIAQ3EXAMPLE7ABCDEF", "a1B2a1B2") if secret in shown]
