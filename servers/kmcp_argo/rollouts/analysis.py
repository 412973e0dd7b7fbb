"""AnalysisRuns and Experiments: phase, message, and what each metric measured. Pure."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, Field

from kmcp_runtime import durations, seconds_of

Object = Mapping[str, Any]
# Phases after which an Experiment no longer runs (AnalysisPhase.Completed of argo-rollouts).
ENDED = ("Successful", "Failed", "Error", "Inconclusive")


class MetricResult(BaseModel):
    """The measurements of one metric, counted by outcome."""

    name: str
    phase: str
    successful: int = 0
    failed: int = 0
    inconclusive: int = 0
    error: int = 0
    last_value: str | None = None
    message: str | None = None


class AnalysisRun(BaseModel):
    """One AnalysisRun."""

    name: str
    phase: str
    message: str | None = None
    metrics: list[MetricResult] = Field(default_factory=list)


class ExperimentRun(BaseModel):
    """An Experiment that a step of a rollout started."""

    name: str
    phase: str
    message: str | None = None
    analysis_runs: list[AnalysisRun] | None = None


class Experiment(BaseModel):
    """An Experiment in a list."""

    name: str
    namespace: str
    status: str
    message: str | None = None
    duration: str | None = None
    remaining: str | None = None
    age: str


def analysis_run(found: Object) -> AnalysisRun:
    seen = found.get("status") or {}
    return AnalysisRun(
        name=found["metadata"]["name"],
        phase=str(seen.get("phase") or "Pending"),
        message=seen.get("message") or None,
        metrics=[_metric(each) for each in seen.get("metricResults") or ()],
    )


def newest_first(found: Iterable[Object]) -> list[Object]:
    # The API server lists by name, and the names that the controller makes do not sort by time.
    return sorted(found, key=lambda each: str(each["metadata"]["creationTimestamp"]), reverse=True)


def experiment_run(found: Object, runs: Iterable[Object]) -> ExperimentRun:
    """An Experiment with those of the AnalysisRuns that it started."""
    seen, uid = found.get("status") or {}, found["metadata"]["uid"]
    own = [each for each in runs if any(o.get("uid") == uid for o in each["metadata"].get("ownerReferences") or ())]
    return ExperimentRun(
        name=found["metadata"]["name"],
        phase=str(seen.get("phase") or "Pending"),
        message=seen.get("message") or None,
        analysis_runs=[analysis_run(each) for each in newest_first(own)] or None,
    )


def experiment(found: Object, now: datetime) -> Experiment:
    metadata, seen = found["metadata"], found.get("status") or {}
    duration = (found.get("spec") or {}).get("duration")
    remaining, age = _remaining(duration, seen, now), _since(metadata["creationTimestamp"], now)
    return Experiment(
        name=metadata["name"],
        namespace=metadata["namespace"],
        status=str(seen.get("phase") or "Pending"),
        message=seen.get("message") or None,
        duration=duration,
        remaining=None if remaining is None else durations.age(remaining),
        age=durations.age(age),
    )


def _remaining(duration: str | None, seen: Mapping[str, Any], now: datetime) -> float | None:
    # The duration counts from availableAt, when every template has its pods, not from the creation of the object.
    if not duration or seen.get("phase") in ENDED or not seen.get("availableAt"):
        return None
    left = float(seconds_of(duration)) - _since(seen["availableAt"], now)
    return left if left > 0 else None


def _since(stamp: str, now: datetime) -> float:
    return (now - datetime.fromisoformat(stamp.replace("Z", "+00:00")).astimezone(UTC)).total_seconds()


def _metric(each: Mapping[str, Any]) -> MetricResult:
    # The controller appends measurements, so the last one is the newest.
    last = (each.get("measurements") or [{}])[-1]
    counts = {name: int(each.get(name) or 0) for name in ("successful", "failed", "inconclusive", "error")}
    return MetricResult(
        name=str(each.get("name")),
        phase=str(each.get("phase")),
        **counts,
        last_value=last.get("value"),
        message=each.get("message") or last.get("message"),
    )
