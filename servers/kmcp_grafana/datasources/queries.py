"""Queries of data sources, and the data frames that they answer."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from kmcp_grafana.actions.results import pick
from kmcp_grafana.client.failures import body_of
from kmcp_grafana.client.grafana import Grafana, Row
from kmcp_runtime import ToolFailure, bad_argument, denied
from kmcp_runtime.judging import READS, Verdict, destroys
from kmcp_runtime.upstream import Refused

_HOUR = 3600.0
# A list of what is known to read only: a new plugin counts as one that may write.
_READING = frozenset(
    {
        "prometheus",
        "loki",
        "tempo",
        "jaeger",
        "zipkin",
        "graphite",
        "opentsdb",
        "elasticsearch",
        "grafana-opensearch-datasource",
        "cloudwatch",
        "stackdriver",
        "grafana-azure-monitor-datasource",
        "grafana-pyroscope-datasource",
        "parca",
        "grafana-testdata-datasource",
        "testdata",
        "alertmanager",
        "grafana-amazonprometheus-datasource",
        "grafana-azureprometheus-datasource",
        "datasource",
        "grafana",
    }
)
"""Plugins whose queries can only read; with any other plugin a query may write."""
# What plugins call a statement that they pass on as it is.
_RAW = frozenset({"rawsql", "sql", "rawquerytext", "statement", "command", "flux", "script"})
# The names that Grafana gives them in `entities`.
_MARKS = {"NaN": math.nan, "Inf": math.inf, "NegInf": -math.inf}
_MOST_ROWS = 200
_MOST_SINGLE = 5000


@dataclass(frozen=True)
class Span:
    """A time range in seconds, and the largest number of points."""

    start: float
    end: float
    max_points: int

    def fields(self) -> Row:
        step = max(1, round((self.end - self.start) * 1000 / self.max_points))
        return {"maxDataPoints": self.max_points, "intervalMs": step}


@dataclass(frozen=True)
class Field:
    """A column of a frame."""

    name: str
    kind: str
    labels: Row
    values: Sequence[Any]


@dataclass(frozen=True)
class Frame:
    name: str
    fields: Sequence[Field]
    meta: Row

    def times(self) -> Field | None:
        return next((field for field in self.fields if field.kind == "time"), None)


def make_span(start: float | None, end: float | None, max_points: int) -> Span:
    """The time range; by default the last hour."""
    until = time.time() if end is None else end
    since = until - _HOUR if start is None else start
    if since >= until:
        raise bad_argument("start: must be before end", "start=now-1h end=now")
    return Span(since, until, max_points)


def judge(source: Row, query: Row) -> Verdict:
    """What a query does: what is not known to read counts as destroying, since a language like SQL can do anything."""
    raw = sorted(field for field in query if field.lower() in _RAW)
    if source["type"] in _READING and not raw:
        return READS
    name = f"{source.get('name') or source.get('uid')} ({source['type']})"
    return destroys(f"sends a query to {name} that may do anything there" + (f" ({', '.join(raw)})" if raw else ""))


def refuse_writing(grafana: Grafana, source: Row) -> None:
    if grafana.call.read_only and source["type"] not in _READING:
        raise denied(
            f"a query of {source['type']} may write, and this server is read-only (KMCP_READ_ONLY)",
            "let the data source use a read-only user; then an operator can run this server without KMCP_READ_ONLY",
        )


async def run_query(grafana: Grafana, source: Row, query: Row, over: Span) -> list[Frame]:
    """The frames of one query; `bad_argument` when the data source refuses it."""
    sent = {**over.fields(), **query, "refId": "A", "datasource": pick(source, "uid", "type")}
    body = {"from": str(round(over.start * 1000)), "to": str(round(over.end * 1000)), "queries": [sent]}
    try:
        answered = await grafana.ask("/api/ds/query", body, judge(source, query))
    except ToolFailure as failure:
        result = _result_of(failure)
        if result is None:
            raise
        answered = {"results": {"A": result}}
    result = (answered.get("results") or {}).get("A") or {}
    if result.get("error"):
        raise ToolFailure(
            # A plugin reports a wrong query and an unreachable backend in the same place, with a status of its own.
            "bad_argument" if int(result.get("status") or 400) < 500 else "unavailable",
            str(result["error"]),
            f"the query was sent unchanged to {source['name']} ({source['type']})",
            backend=str(source["type"]),
        )
    return [_frame(frame) for frame in result.get("frames") or ()]


def _result_of(failure: ToolFailure) -> Row | None:
    """The results that come with an error status, when the data source refused and not Grafana."""
    if not isinstance(failure, Refused):
        return None
    result = (body_of(failure).get("results") or {}).get("A")
    return result if isinstance(result, dict) else None


def table_of(frame: Frame, most: int = _MOST_ROWS) -> Row:
    """A frame as columns and rows."""
    count = max((len(field.values) for field in frame.fields), default=0)
    shown = min(count, most)
    rows = [[_cell(field, number) for field in frame.fields] for number in range(shown)]
    described: Row = {"name": frame.name} if frame.name else {}
    columns = [field.name + (_labelled(field.labels) if field.labels else "") for field in frame.fields]
    described |= {"columns": columns, "rows": rows}
    return {**described, **({"rows_total": count} if count > shown else {})}


def rows_of(frames: Sequence[Frame]) -> list[Row]:
    """One frame as its rows, several as a table each."""
    if len(frames) != 1:
        return [table_of(frame) for frame in frames]
    table = table_of(frames[0], most=_MOST_SINGLE)
    # Two columns of one name would overwrite each other as members of a row.
    if len(set(table["columns"])) < len(table["columns"]):
        return [table]
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]


def series_of(frames: Sequence[Frame]) -> Iterator[tuple[str, Row, list[list[Any]]]]:
    """Every series of numbers: its name, its labels, and its points as pairs of seconds and value."""
    for frame in frames:
        times = frame.times()
        if times is None:
            continue
        for field in frame.fields:
            if field.kind == "number":
                name = str(field.labels.get("__name__") or frame.name or field.name)
                labels = {key: value for key, value in field.labels.items() if key != "__name__"}
                yield (
                    name,
                    labels,
                    [[_seconds(moment), value] for moment, value in zip(times.values, field.values, strict=False)],
                )


def lines_of(frames: Sequence[Frame]) -> Iterator[Row]:
    """Log lines: time, text and labels."""
    for frame in frames:
        times = frame.times()
        text = next(
            (field for field in frame.fields if field.kind == "string" and field.name in ("Line", "body")), None
        )
        labels = next((field for field in frame.fields if field.kind == "other"), None)
        if times is None or text is None:
            continue
        for number, line in enumerate(text.values):
            shown = labels.values[number] if labels else text.labels
            yield {"time": _seconds(times.values[number]), "line": line, "labels": shown}


def summary(points: Sequence[Sequence[Any]]) -> Row:
    """Minimum, maximum, mean and last of the numbers, and how many points are not numbers."""
    numbers = [point[1] for point in points if isinstance(point[1], int | float) and math.isfinite(point[1])]
    shown: Row = {"points": len(points)}
    if len(numbers) < len(points):
        shown["not_numbers"] = len(points) - len(numbers)
    if numbers:
        shown |= {"min": min(numbers), "max": max(numbers), "avg": sum(numbers) / len(numbers), "last": numbers[-1]}
    return shown


def readable(points: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Points as JSON can express them: NaN and infinities become text."""
    return [[moment, _plain(value)] for moment, value in points]


def _frame(raw: Row) -> Frame:
    schema, data = raw.get("schema") or {}, raw.get("data") or {}
    values, entities = data.get("values") or [], data.get("entities") or []
    columns = zip_longest(schema.get("fields") or (), values, entities)
    fields = [
        Field(
            str(field.get("name") or ""),
            str(field.get("type") or "other"),
            field.get("labels") or {},
            _restore(column or [], marks),
        )
        for field, column, marks in columns
        if field
    ]
    return Frame(str(schema.get("name") or ""), fields, schema.get("meta") or {})


def _restore(values: Sequence[Any], entities: Row | None) -> Sequence[Any]:
    """The values with NaN and infinities put back."""
    if not entities:
        return values
    # JSON has no NaN and no infinity: Grafana writes null, and lists the places beside the values.
    restored = list(values)
    for mark, number in _MARKS.items():
        for index in entities.get(mark) or ():
            restored[index] = number
    return restored


def _cell(field: Field, number: int) -> Any:
    value = field.values[number] if number < len(field.values) else None
    return _seconds(value) if field.kind == "time" and value is not None else _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    return value


def _seconds(milliseconds: Any) -> Any:
    # Frames count milliseconds; every time of the suite is in seconds.
    seconds = milliseconds / 1000
    return int(seconds) if seconds == int(seconds) else seconds


def _labelled(labels: Row) -> str:
    return "{" + ", ".join(f"{key}={value}" for key, value in labels.items()) + "}"
