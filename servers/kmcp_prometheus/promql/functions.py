"""The functions of PromQL (Prometheus 3.15, `promql/parser/functions.go`) and what they take."""

from dataclasses import dataclass

from kmcp_prometheus.promql.lexer import AGGREGATIONS

# v: instant vector, m: range vector, s: scalar, t: string. After the last: `?` it may be left out, `*` any number of
# them, none included, a digit: so many of them at most.
_BY_SIGNATURE = {
    "v": "abs absent acos acosh asin asinh atan atanh ceil cos cosh deg exp floor histogram_avg histogram_count "
    "histogram_stddev histogram_stdvar histogram_sum ln log10 log2 rad scalar sgn sin sinh sort sort_desc sqrt "
    "start_timestamp tan tanh timestamp",
    "m": "absent_over_time avg_over_time changes count_over_time delta deriv first_over_time idelta increase irate "
    "last_over_time mad_over_time max_over_time min_over_time present_over_time rate resets stddev_over_time "
    "stdvar_over_time sum_over_time ts_of_first_over_time ts_of_last_over_time ts_of_max_over_time ts_of_min_over_time",
    "v?": "day_of_month day_of_week day_of_year days_in_month hour minute month year",
    "": "end pi range start step time",
    "s": "vector",
    "ss": "max_of min_of",
    "sm": "quantile_over_time",
    "ms": "predict_linear",
    "mss": "double_exponential_smoothing",
    "sv": "histogram_quantile",
    "ssv": "histogram_fraction",
    "vtss9": "histogram_quantiles",
    "vs": "clamp_max clamp_min",
    "vs?": "round",
    "vss": "clamp",
    "vv?": "info",
    "vt*": "sort_by_label sort_by_label_desc",
    "vttt*": "label_join",
    "vtttt": "label_replace",
}
_TYPES = {"v": "vector", "m": "matrix", "s": "scalar", "t": "string"}
_SCALAR = frozenset(["end", "max_of", "min_of", "pi", "range", "scalar", "start", "step", "time"])
_PARAMETRIC = {"topk": "scalar", "bottomk": "scalar", "quantile": "scalar", "limitk": "scalar", "limit_ratio": "scalar"}
_EXPERIMENTAL = (
    "double_exponential_smoothing end histogram_quantiles info limit_ratio limitk mad_over_time max_of min_of range "
    "sort_by_label sort_by_label_desc start start_timestamp step ts_of_first_over_time ts_of_last_over_time "
    "ts_of_max_over_time ts_of_min_over_time"
)
EXPERIMENTAL = frozenset(_EXPERIMENTAL.split())
"""Functions and aggregations that Prometheus takes only with `promql-experimental-functions` switched on."""


@dataclass(frozen=True)
class Function:
    """A signature: types of arguments, how often the last may be repeated or left out, and the type of the result.

    `variadic` counts as upstream does: 0 takes exactly the arguments, n > 0 one less up to n - 1 more, -1 one less or
    any number more.
    """

    name: str
    arguments: tuple[str, ...]
    variadic: int
    returns: str

    @property
    def least(self) -> int:
        return len(self.arguments) - (1 if self.variadic else 0)

    @property
    def most(self) -> int | None:
        return None if self.variadic < 0 else self.least + self.variadic

    def type_at(self, index: int) -> str:
        return self.arguments[min(index, len(self.arguments) - 1)]

    def takes(self, count: int) -> bool:
        return count >= self.least and (self.most is None or count <= self.most)


def _function(signature: str, name: str) -> Function:
    types = tuple(_TYPES[letter] for letter in signature.rstrip("?*9"))
    variadic = {"?": 1, "*": -1, "9": 9}.get(signature[-1:], 0)
    return Function(name, types, variadic, "scalar" if name in _SCALAR else "vector")


FUNCTIONS = {name: _function(signature, name) for signature, names in _BY_SIGNATURE.items() for name in names.split()}


def parameter_of(aggregation: str) -> str | None:
    """The type of an aggregation's parameter (`topk(5, …)`), None when it has none."""
    return "string" if aggregation == "count_values" else _PARAMETRIC.get(aggregation)


def known_names() -> list[str]:
    return [*FUNCTIONS, *AGGREGATIONS]
