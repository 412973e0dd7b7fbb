"""PromQL itself: expressions checked and explained, or built from a description."""

from typing import Annotated, Literal

from pydantic import Field

from kmcp_prometheus.client import Prometheus
from kmcp_prometheus.guidance import building, checking
from kmcp_prometheus.promql.dotted import repaired
from kmcp_runtime import Effect, Result, bad_argument, tool


class Promql(Result):
    """An expression checked, or candidates built."""

    mode: Literal["check", "build"]
    valid: bool | None = Field(default=None, description="Left out when unknown: see hint")
    formatted: str | None = None
    explanation: str | None = Field(default=None, description="Each step, the outermost first")
    ast_summary: checking.Parts | None = None
    error: checking.Fault | None = None
    unknown_metrics: list[checking.Unknown] | None = None
    unknown_labels: list[checking.UnknownLabel] | None = None
    candidates: list[building.Candidate] | None = Field(default=None, description="Best first")
    questions: list[str] | None = Field(default=None, description="What to say more exactly")


@tool(Effect.READ)
async def prometheus_promql_tool(
    prometheus: Prometheus,
    query: Annotated[str | None, "PromQL to check"] = None,
    query_description: Annotated[str | None, "What to build: p99 latency by job over 10m"] = None,
) -> Promql:
    """Check and explain PromQL and whether its names exist, or build it from words."""
    # One tool and not two: each description costs tokens in every conversation.
    if (query is None) is (query_description is None):
        raise bad_argument("give query to check it, or query_description to build one", "one of the two")
    if query is not None:
        result = await _check(prometheus, query)
    else:
        result = await _build(prometheus, query_description or "")
    # What is said to be unknown may only be missing from a partial answer.
    result.warnings = prometheus.warnings or None
    return result


async def _check(prometheus: Prometheus, query: str) -> Promql:
    verdict = await checking.judge(prometheus, query)
    result = Promql(mode="check", valid=verdict.valid, error=verdict.fault)
    if verdict.doubt:
        result.hint = f"Whether the backend accepts it is unknown, since it has no parser to ask: {verdict.doubt}."
    if verdict.valid is False and (meant := repaired(query)) != query:
        result.hint = f"A name with dots stands in quotes: {meant}"
    if verdict.tree is None:
        return result
    metrics, labels = await checking.find_unknown(prometheus, verdict.tree)
    result.formatted = await checking.format_query(prometheus, query, verdict.tree)
    result.explanation = checking.in_words(verdict.tree)
    result.ast_summary = checking.parts(verdict.tree)
    result.unknown_metrics, result.unknown_labels = metrics or None, labels or None
    if (metrics or labels) and verdict.valid:
        result.hint = "It is valid, but the unknown names match nothing: the answer will be empty or partial."
    return result


async def _build(prometheus: Prometheus, description: str) -> Promql:
    built = await building.build_candidates(prometheus, description)
    result = Promql(mode="build", candidates=built.candidates, questions=built.questions or None)
    if built.candidates:
        result.hint = (
            "Try one with prometheus_query_tool; the description may name a window, labels (job=api) and 'by label'."
        )
    elif built.questions:
        result.hint = "The description is not clear enough for a good expression: answer the questions in a new one."
    else:
        words = " ".join(sorted(built.intent.words)) or description
        result.hint = f"No metric matches {words!r}: name one; prometheus_metadata_tool search=… finds them."
    return result
