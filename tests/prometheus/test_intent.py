"""Any description is read, and whatever is built from it is an expression."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmcp_prometheus.guidance import recipes
from kmcp_prometheus.guidance.drafts import drafts_of
from kmcp_prometheus.guidance.finishing import finish
from kmcp_prometheus.guidance.labelling import Labels, narrow
from kmcp_prometheus.guidance.metric_index import Kind, Metric
from kmcp_prometheus.promql.intent import Bound, read_intent
from kmcp_prometheus.promql.parser import parse

_SAID = (
    "p99 median average latency of by per each http requests errors failed rate in the last hour over 10m above 80 %"
    " percent more than 5 top 3 slowest compared with yesterday will be full 4 hours without down since days until"
    ' code=500 {job="a"} \' " \\ 500 5xx pool main share hit ratio growth of min max le quantile GET'
)
_WORDS = _SAID.split(" ")
_TEXTS = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(_WORDS), max_size=10).map(" ".join))
_LABELS = Labels(
    {
        "code": frozenset({"200", "500"}),
        "job": frozenset({"a"}),
        "http.route": frozenset({"/x"}),
        "pool": frozenset({"main"}),
    }
)
KINDS: tuple[Kind, ...] = ("counter", "gauge", "classic", "native", "summary", "other")


@settings(deadline=None)
@given(text=_TEXTS, name=st.sampled_from(["http_requests_total", "a.b", "x_used_bytes", "job_start_time_seconds", "m"]))
def test_whatever_is_built_is_an_expression(text: str, name: str) -> None:
    intent = read_intent(text)
    known = frozenset({name, "x_max_bytes", "http_requests_total"})
    for kind in KINDS:
        metric = Metric(name, kind)
        narrowed = narrow(intent, _LABELS, metric.stems)
        for draft in drafts_of(metric, intent, _LABELS, known):
            parse(finish(draft, intent, narrowed))


@settings(deadline=None)
@given(text=_TEXTS, recipe=st.sampled_from(recipes.RECIPES))
def test_every_recipe_can_be_finished(text: str, recipe: recipes.Recipe) -> None:
    intent = read_intent(text)
    parse(finish(recipe.draft(), intent, narrow(intent, _LABELS, frozenset())))


def test_spans_beyond_all_bounds_are_passed_over() -> None:
    for text in ("rate over 99999999999999 years", "rate over 0 minutes", "will it be full in 999999999999 years"):
        intent = read_intent(f"{text} compared to 9999999999999 weeks ago, more than 9999999999 years")
        assert (intent.window, intent.window_given, intent.offset) == ("5m", False, "")


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("requests in the last 2 hours", {"window": "2h", "during": True}),
        ("rate over 30 minutes", {"window": "30m", "during": False, "bound": None}),
        ("disk over 80%", {"bound": Bound(">", 80, "%")}),
        ("lag below 500ms", {"bound": Bound("<", 0.5, "seconds")}),
        ("size at least 2 GiB", {"bound": Bound(">=", 2 * 1024**3, "bytes")}),
        ("queue depth > 5", {"bound": Bound(">", 5)}),
        ("top 3 topics by lag", {"top": 3, "bottom": False}),
        ("5 slowest handlers", {"top": 5}),
        ("orders vs last week", {"offset": "1w"}),
        ("how many 503s since yesterday", {"statuses": ("503",), "window": "1d"}),
        ("p99.9 by status code and job", {"quantile": 0.999, "grouping": ("status code", "job")}),
    ],
)
def test_parts_of_descriptions(text: str, fields: dict[str, Any]) -> None:
    intent = read_intent(text)
    assert {name: getattr(intent, name) for name in fields} == fields
