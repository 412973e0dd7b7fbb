"""Durations: what each of the two grammars takes, and where they differ."""

import pytest

from kmcp_runtime.durations import age, parse, parse_go, parse_signed


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("1h30m", 5_400),
        ("1.5m", 90),
        ("1500ms", 1.5),
        ("250us", 0.00025),
        ("250µs", 0.00025),
        (".5h", 1_800),
    ],
)
def test_both_grammars_take_what_go_prints(text: str, seconds: float) -> None:
    assert parse(text) == pytest.approx(seconds)
    assert parse_go(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "seconds"), [("1d", 86_400), ("2w", 1_209_600), ("1y", 31_536_000), ("1d12h", 129_600)]
)
def test_days_and_more_are_for_people_and_prometheus_but_not_for_go(text: str, seconds: float) -> None:
    assert parse(text) == seconds
    with pytest.raises(ValueError, match="Go has no unit above the hour: write 1d as 24h"):
        parse_go(text)


def test_go_takes_a_bare_nought_and_both_letters_for_micro() -> None:
    assert parse_go("0") == 0
    assert parse_go("5\u00b5s") == parse_go("5\u03bcs") == parse("5\u03bcs") == pytest.approx(5e-6)


def test_a_bare_number_is_seconds_but_not_for_go() -> None:
    assert (parse("90"), parse("1.5")) == (90, 1.5)
    with pytest.raises(ValueError, match="is not a duration that Go reads"):
        parse_go("90")


@pytest.mark.parametrize("text", ["", "h", "5 m", "5x", "1h-3m", "5mm", "1e3s", "٣s"])
def test_neither_takes_what_is_not_a_duration(text: str) -> None:
    for read in (parse, parse_go, parse_signed):
        with pytest.raises(ValueError, match="is not a"):
            read(text)


def test_only_the_signed_one_takes_a_sign() -> None:
    assert (parse_signed("-36h"), parse_signed("+7d"), parse_signed("5m")) == (-129_600, 604_800, 300)
    for read in (parse, parse_go):
        with pytest.raises(ValueError, match="is not a"):
            read("-5m")


AGES = {
    "0s": (-5, 0, 0.9), "119s": (119,), "2m": (120,), "9m59s": (599,), "10m": (600, 659), "179m": (10_799,),
    "3h": (10_800, 10_859), "7h59m": (28_799,), "8h": (28_800,), "47h": (172_799,), "2d": (172_800,),
    "2d1h": (176_400,), "7d23h": (691_199,), "8d": (691_200,), "729d": (63_071_999,), "2y": (63_072_000,),
    "2y1d": (63_158_400,), "7y364d": (252_287_999,), "8y": (252_288_000, 283_000_000),
}  # fmt: skip
"""What apimachinery's HumanDuration writes of seconds."""


def test_ages_are_written_as_kubectl_writes_them() -> None:
    for text, several in AGES.items():
        assert [age(seconds) for seconds in several] == [text] * len(several)
