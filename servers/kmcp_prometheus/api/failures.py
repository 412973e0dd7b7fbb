"""Refusals of Prometheus and of backends that speak its API, as failures that a caller can act on."""

import json
import re
from typing import Any

from kmcp_runtime import Code, ToolFailure
from kmcp_runtime.upstream import Refused
from kmcp_runtime.upstream.failures import is_page

BACKEND = "prometheus"
_CODES: dict[str, Code] = {
    "bad_data": "bad_argument",
    "execution": "bad_argument",
    "timeout": "timed_out",
    "not_found": "not_found",
    "canceled": "unavailable",
    "internal": "unavailable",
    "unavailable": "unavailable",
}
_NARROWER = "ask for a shorter range or a larger step, add label matchers, or precompute it with a recording rule"
# Parts of the engine's messages, a code where it fits better than that of the `errorType`, and the next step. The
# first that matches counts, so the narrower ones stand above.
_HINTS: tuple[tuple[str, Code | None, str], ...] = (
    ("admin APIs disabled", "unavailable", "start Prometheus with --web.enable-admin-api"),
    ("unavailable with Prometheus Agent", "unavailable", "an agent stores nothing: ask the Prometheus it writes to"),
    ("too many samples", "too_large", _NARROWER),
    ("maximum number of", "too_large", _NARROWER),
    ("timed out", "timed_out", _NARROWER),
    ("deadline exceeded", "timed_out", _NARROWER),
    ("maximum resolution", None, "leave step out: one that fits is then chosen"),
    ('"range vector" for range query', None, "wrap it: rate(…[5m]), avg_over_time(…[5m])"),
    ("got range vector", None, "wrap the range: rate(…[5m]); raw samples of a range: prometheus_query_tool alone"),
    ("got instant vector", None, "give the selector a range: metric[5m]"),
    ("at least one non-empty matcher", None, "name a metric or a label value; prometheus_label_values_tool lists them"),
    ("many-to-many matching", None, "aggregate one side (sum by (…)), or match on(…) labels that are unique there"),
    ("group_left", None, "name the labels to match and the side that has many series: on(…) group_left()"),
    ("duplicate series", None, "aggregate first, or match on(…) more labels"),
)


class ApiFailure(ToolFailure):
    """An error answer of the API, with its HTTP status and its `errorType` (`kind`, empty without one)."""

    def __init__(self, status: int, kind: str, code: Code, message: str, hint: str | None) -> None:
        super().__init__(code, message, hint, backend=BACKEND)
        self.status = status
        self.kind = kind


def explain(refused: Refused) -> ToolFailure:
    """The failure that an error answer of the API stands for, with the API's own message."""
    kind, text = _said(refused)
    # A 404 with `errorType: not_found` is about what was asked for; any other is about the endpoint.
    if refused.status == 404 and kind != "not_found":
        return _not_served(refused)
    # Sent with the 503 of a Prometheus that starts or stops, which sets it apart from the 503 of a proxy.
    if "X-Prometheus-Stopping" in refused.answer.headers:
        return _not_ready(refused)
    # Mimir and Thanos answer this as bare text, without `errorType`, when X-Scope-OrgID is missing.
    if "no org id" in text.lower():
        return ApiFailure(
            refused.status, kind, "forbidden", text, "set PROMETHEUS_TENANT: this backend serves several tenants"
        )
    if not kind:
        return ApiFailure(refused.status, kind, refused.code, refused.message, refused.hint)
    code, hint = _meaning(kind, text, refused)
    return ApiFailure(refused.status, kind, code, text, hint)


def _meaning(kind: str, text: str, refused: Refused) -> tuple[Code, str | None]:
    own = _CODES.get(kind, refused.code)
    for words, code, hint in _HINTS:
        if words in text:
            return code or own, hint
    if own == "timed_out":
        return own, _NARROWER
    return own, refused.hint if own == "unavailable" else None


def _said(refused: Refused) -> tuple[str, str]:
    """`errorType` and `error` of the API's JSON; two empty texts when the answer is something else."""
    if is_page(refused.answer):
        return "", ""
    try:
        body: Any = json.loads(refused.answer.content)
    except ValueError:
        return "", refused.answer.text
    if not isinstance(body, dict) or not isinstance(body.get("error"), str):
        return "", refused.answer.text
    # Some messages quote YAML or PromQL over several lines; runs of blanks would only cost tokens.
    return str(body.get("errorType") or "unknown"), re.sub(r"[ \t]+", " ", body["error"]).strip()


def _not_served(refused: Refused) -> ApiFailure:
    path = refused.place.partition("/api/v1")[2] or refused.place
    return ApiFailure(
        404,
        "",
        "unavailable",
        f"this backend does not serve {path}: {refused.message}",
        "Thanos, Mimir and VictoriaMetrics serve a part of Prometheus' API (prometheus_build_info_tool shows which); "
        "if nothing works, the address may lack a path prefix such as /prometheus",
    )


def _not_ready(refused: Refused) -> ApiFailure:
    stopping = refused.answer.headers["X-Prometheus-Stopping"] == "true"
    state = "is stopping" if stopping else "is not ready yet: it replays its write-ahead log"
    hint = "try again later" if stopping else "prometheus_wal_replay_tool shows its progress"
    return ApiFailure(refused.status, "", "unavailable", f"{refused.place}: Prometheus {state}", hint)
