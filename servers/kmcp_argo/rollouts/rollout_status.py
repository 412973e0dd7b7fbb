"""A Rollout as the kubectl plugin shows it: status, step and weight. Pure."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field

Object = Mapping[str, Any]
FULL_WEIGHT = 100
_WORKLOAD_GENERATION = "rollout.argoproj.io/workload-generation"


class Row(BaseModel):
    """A Rollout in a list."""

    name: str
    namespace: str
    strategy: str
    status: str
    message: str | None = None
    step: str | None = Field(default=None, description="done/all")
    set_weight: int | None = Field(default=None, description="Percent of the traffic for the canary")
    ready: int
    desired: int
    up_to_date: int
    available: int
    images: list[str] | None = Field(default=None, description="Absent when the rollout references a workload")


def row(found: Object) -> Row:
    metadata, seen = found["metadata"], status_of(found)
    state, message = phase(found)
    images = [str(each.get("image")) for each in containers_of(template_of(found))]
    return Row(
        name=metadata["name"],
        namespace=metadata["namespace"],
        strategy=strategy(found),
        status=state,
        message=message or None,
        step=step(found),
        set_weight=set_weight(found),
        ready=_count(seen, "readyReplicas"),
        desired=desired(found),
        up_to_date=_count(seen, "updatedReplicas"),
        available=_count(seen, "availableReplicas"),
        images=images or None,
    )


def phase(found: Object, workload_generation: int | None = None) -> tuple[str, str]:
    """Status and message, as the plugin computes them (argo-rollouts, GetRolloutPhase).

    `workload_generation` is that of a referenced workload as it is now; without it the one that the controller noted.
    """
    seen, metadata = status_of(found), found["metadata"]
    observed, generation = str(seen.get("observedGeneration") or ""), int(metadata.get("generation") or 0)
    # The controller has not seen this spec yet. Up to 0.9 observedGeneration is a hash, which says nothing here.
    if observed.isdigit() and int(observed) < generation:
        return "Progressing", "waiting for rollout spec update to be observed"
    # Someone has cleared the pause conditions, and the controller has not acted on that yet.
    if seen.get("controllerPause") and not seen.get("pauseConditions"):
        return "Progressing", "waiting for rollout to unpause"
    if _workload_is_newer(found, workload_generation):
        return "Progressing", "waiting for rollout spec update to be observed for the reference workload"
    if seen.get("phase"):
        return str(seen["phase"]), str(seen.get("message") or "")
    return "Progressing", "no controller has reported a status yet"


def _workload_is_newer(found: Object, generation: int | None) -> bool:
    noted = str((found["metadata"].get("annotations") or {}).get(_WORKLOAD_GENERATION) or "")
    known = [number for number in (generation, int(noted) if noted.isdigit() else None) if number is not None]
    observed = str(status_of(found).get("workloadObservedGeneration") or "")
    return bool(known) and observed.isdigit() and int(observed) < max(known)


def is_about_to_be_promoted(found: Object) -> bool:
    """Whether an aborted Rollout was promoted to the end, and the controller has not taken that up yet."""
    seen = status_of(found)
    return bool(seen.get("abort") and seen.get("promoteFull"))


def is_paused_for_good(found: Object) -> bool:
    """Whether only a person ends its pause: a step without a duration, an inconclusive analysis, `spec.paused`."""
    if spec_of(found).get("paused"):
        return True
    reasons = {str(each.get("reason")) for each in status_of(found).get("pauseConditions") or ()}
    if "BlueGreenPause" in reasons:
        blue_green = (spec_of(found).get("strategy") or {}).get("blueGreen") or {}
        return not blue_green.get("autoPromotionSeconds")
    if "CanaryPauseStep" in reasons:
        here = steps(found)[step_index(found) : step_index(found) + 1]
        return not any((each.get("pause") or {}).get("duration") for each in here)
    return bool(reasons)


def strategy(found: Object) -> str:
    spec = spec_of(found).get("strategy") or {}
    return (
        "Canary" if spec.get("canary") is not None else "BlueGreen" if spec.get("blueGreen") is not None else "unknown"
    )


def steps(found: Object) -> list[Mapping[str, Any]]:
    """The steps of a canary; empty for blue-green."""
    return list(((spec_of(found).get("strategy") or {}).get("canary") or {}).get("steps") or ())


def step_index(found: Object) -> int:
    return _count(status_of(found), "currentStepIndex")


def step(found: Object) -> str | None:
    if not steps(found) or status_of(found).get("currentStepIndex") is None:
        return None
    return f"{step_index(found)}/{len(steps(found))}"


def set_weight(found: Object) -> int | None:
    """The weight that the steps so far ask for, in percent; None for blue-green."""
    if strategy(found) != "Canary":
        return None
    # An aborted canary gets no traffic, whichever step it was at.
    if status_of(found).get("abort"):
        return 0
    all_steps, index = steps(found), step_index(found)
    # Past the last step all traffic goes to the new version; a router may count in other units than percent.
    if index >= len(all_steps):
        routing = spec_of(found)["strategy"]["canary"].get("trafficRouting") or {}
        return int(routing.get("maxTrafficWeight") or FULL_WEIGHT)
    # Steps without setWeight leave the weight as an earlier step has set it.
    weights = [int(each["setWeight"]) for each in all_steps[: index + 1] if each.get("setWeight") is not None]
    return weights[-1] if weights else 0


def step_in_words(each: Mapping[str, Any]) -> str:
    """`setWeight: 20`, `pause: 5m`, `analysis`, …"""
    (name, value), *_ = each.items() or [("unknown", None)]
    if name == "pause":
        duration = (value or {}).get("duration")
        return f"pause: {duration}" if duration else "pause"
    if name in ("analysis", "experiment"):
        return name
    if name == "setCanaryScale":
        return "setCanaryScale: " + ", ".join(f"{key}={item}" for key, item in (value or {}).items())
    if isinstance(value, Mapping):
        return f"{name}: {value.get('name', '')}".rstrip(": ")
    return f"{name}: {value}"


def is_fully_promoted(found: Object) -> bool:
    seen = status_of(found)
    return bool(seen.get("stableRS")) and seen.get("stableRS") == seen.get("currentPodHash")


def desired(found: Object) -> int:
    replicas = spec_of(found).get("replicas")
    # An absent number means 1 (argo-rollouts, defaults.GetReplicasOrDefault).
    return 1 if replicas is None else int(replicas)


def template_of(found: Object) -> Mapping[str, Any]:
    return spec_of(found).get("template") or {}


def containers_of(template: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    spec = template.get("spec") or {}
    return [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]


def spec_of(found: Object) -> Mapping[str, Any]:
    return found.get("spec") or {}


def status_of(found: Object) -> Mapping[str, Any]:
    return found.get("status") or {}


def _count(node: Mapping[str, Any], name: str) -> int:
    return int(node.get(name) or 0)
