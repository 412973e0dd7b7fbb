"""The register of known values: whatever their number and length, each is found, and one more makes little work."""

import secrets
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmcp_runtime import redaction
from kmcp_runtime.redaction.known import Register, is_findable

VALUES = st.text(st.sampled_from("aB1-/"), min_size=8, max_size=300).filter(is_findable)


@given(st.lists(VALUES, min_size=1, max_size=8), st.lists(st.text(st.sampled_from("aB1-/ "), max_size=9), max_size=4))
def test_no_known_value_stays(values: list[str], between: list[str]) -> None:
    register = Register()
    for value in values:
        register.learn(value)
    text = "".join(f"{gap}|{value}|" for gap, value in zip([*between, *[""] * len(values)], values, strict=False))
    told = register.hide(text)
    assert not [value for value in values if value in told]


def test_values_of_every_batch_are_found() -> None:
    register = Register()
    known = [secrets.token_hex(20) for _ in range(4_500)] + [secrets.token_urlsafe(4_000) for _ in range(30)]
    for value in known:
        register.learn(value)
    told = register.hide("\n".join(known))
    assert not [value for value in known if value in told]
    assert told.count("[hidden]") == len(known)


def test_a_long_value_is_the_whole_of_it() -> None:
    register, long = Register(), secrets.token_urlsafe(2_000)
    register.learn(long)
    register.learn(long[:40])
    assert register.hide(f"{long[:300]}?") == f"[hidden]{long[40:300]}?"
    assert register.hide(f"{long[:200]}{long}") == f"[hidden]{long[40:200]}[hidden]"


def test_a_word_is_shown_whichever_batch_has_it() -> None:
    register = Register()
    register.learn("rolled-back")
    for _ in range(2_500):
        register.learn(secrets.token_hex(20))
    assert register.holds_any("it was rolled-back")
    register.keep(["rolled-back"])
    assert not register.holds_any("it was rolled-back")


def test_one_more_value_makes_as_much_work_among_many() -> None:
    def seconds(known: int) -> float:
        register = Register()
        for _ in range(known):
            register.learn(secrets.token_hex(20))
        register.hide("nothing here")
        began = time.process_time()
        for _ in range(20):
            register.learn(secrets.token_hex(20))
            register.hide("nothing here")
        return time.process_time() - began

    few = min(seconds(500) for _ in range(3))
    # Twenty-five times as many: to make all anew would take twenty-five times as long.
    assert min(seconds(12_500) for _ in range(3)) < few * 5


@pytest.mark.parametrize("known", ["admin-password", "--admin-password=", "password=purple", "purple-Tiger-336 "])
def test_what_is_known_hides_no_name_from_the_shapes(known: str) -> None:
    """A Secret may hold what is a name elsewhere; what stands behind that name is hidden all the same."""
    redaction.learn(known)
    for text in ("--admin-password=purple-Tiger-336 -v", 'env "admin-password": "purple-Tiger-336",'):
        shown = redaction.text(text)
        assert "Tiger" not in shown
        assert known not in shown
