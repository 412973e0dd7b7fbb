"""Samples as tools answer them: a number, or null and a note, since JSON has neither NaN nor infinity."""

import math
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, Field, SerializerFunctionWrapHandler, WithJsonSchema, model_serializer

from kmcp_runtime import unavailable

Number = int | float
Value = Annotated[Number | None, WithJsonSchema({"type": ["number", "null"]})]
"""A number, or null for NaN and infinity; it is never left out, which would mean that there is no sample."""
_NOT_NUMBERS = {"NaN": "NaN", "+Inf": "+Inf", "Inf": "+Inf", "-Inf": "-Inf"}
_MOST_NOTED = 5
# The first number of a bucket in the API: which of its ends belong to it (docs: HTTP API, native histograms).
_BRACKETS = {0: ("(", "]"), 1: ("[", ")"), 2: ("(", ")"), 3: ("[", "]")}


class Histogram(BaseModel):
    """A native histogram at one moment."""

    count: Number | None = None
    sum: Number | None = None
    buckets: dict[str, Number | None] = Field(default_factory=dict, description="Counts by interval, `(0.5, 1]`")


class Sample(BaseModel):
    """One series at one moment."""

    metric: dict[str, str] = Field(description="Labels; the name is __name__")
    value: Value = Field(default=None, description="null when it is not a number: see note")
    timestamp: Number = Field(default=0, description="Seconds since 1970")
    note: str | None = Field(default=None, description="NaN, +Inf or -Inf")
    histogram: Histogram | None = Field(default=None, description="In place of a value")

    @model_serializer(mode="wrap")
    def _null_is_a_value(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found: dict[str, Any] = handler(self)
        # Empty fields are left out of answers; here null has a meaning of its own and must be put back.
        if self.histogram is None:
            found["value"] = self.value
        return _ordered(found, ("metric", "value", "histogram", "timestamp", "note"))


class RawSamples(BaseModel):
    """The raw samples of one series, as a range selector answers them."""

    metric: dict[str, str]
    values: list[tuple[Number, Value]] | None = Field(default=None, description="[timestamp, value]")
    histograms: list[tuple[Number, Histogram]] | None = None
    note: str | None = Field(default=None, description="Which values are NaN, +Inf or -Inf")


def number(text: Any) -> tuple[Number | None, str | None]:
    """The number of a sample, or None and the word that stands in its place."""
    if str(text) in _NOT_NUMBERS:
        return None, _NOT_NUMBERS[str(text)]
    found = float(text)
    # Digits beyond the range of a float are what Prometheus itself would write as infinity.
    return (plain(found), None) if math.isfinite(found) else (None, "+Inf" if found > 0 else "-Inf")


def plain(value: float) -> Number:
    """An int where the number is whole: shorter, and equal in JSON. Errors: `unavailable` for what no float holds."""
    if not math.isfinite(value):
        raise unavailable("the answer has a number that is beyond any float", "ask the backend itself")
    # Beyond 1e15 an int would print digits that the float does not have.
    return int(value) if value == int(value) and abs(value) < 1e15 else value


def sample(item: dict[str, Any]) -> Sample:
    """An element of an instant vector."""
    if "histogram" in item:
        at, found = item["histogram"]
        return Sample(metric=item["metric"], timestamp=plain(at), histogram=histogram(found))
    at, text = item["value"]
    value, note = number(text)
    return Sample(metric=item["metric"], value=value, timestamp=plain(at), note=note)


def raw(item: dict[str, Any]) -> RawSamples:
    """An element of a matrix."""
    values = [(plain(at), *number(text)) for at, text in item.get("values") or ()]
    histograms = [(plain(at), histogram(found)) for at, found in item.get("histograms") or ()]
    return RawSamples(
        metric=item["metric"],
        values=[(at, value) for at, value, _ in values] or None,
        histograms=histograms or None,
        note=noted([(at, note) for at, _, note in values if note]),
    )


def noted(found: Sequence[tuple[Number, str]]) -> str | None:
    """Which moments have no number: `NaN at 1700000000, 1700000060; +Inf at 9 others`."""
    parts = []
    for word in dict.fromkeys(word for _, word in found):
        moments = [f"{at:.15g}" for at, other in found if other == word]
        more = f" and {len(moments) - _MOST_NOTED} more" if len(moments) > _MOST_NOTED else ""
        parts.append(f"{word} at {', '.join(moments[:_MOST_NOTED])}{more}")
    return "; ".join(parts) or None


def histogram(item: dict[str, Any]) -> Histogram:
    buckets = {}
    for kind, lower, upper, count in item.get("buckets") or ():
        # The zero bucket is closed on both sides; a number from a newer version falls back to the usual half-open form.
        opening, closing = _BRACKETS.get(int(kind), ("(", "]"))
        buckets[f"{opening}{lower}, {upper}{closing}"] = number(count)[0]
    return Histogram(count=number(item["count"])[0], sum=number(item["sum"])[0], buckets=buckets)


def _ordered(found: dict[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    return {key: found[key] for key in keys if key in found}
