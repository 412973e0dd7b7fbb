"""The patches of a promotion, as the plugin sends them, and why there may be none. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kmcp_argo.rollouts import rollout_status
from kmcp_runtime import conflict

Object = Mapping[str, Any]
UNPAUSE = {"spec": {"paused": False}}
_INCONCLUSIVE = "Inconclusive"


@dataclass(frozen=True)
class Promotion:
    """What to send: to the status first, then to the object."""

    status: Mapping[str, Any] | None = None
    main: Mapping[str, Any] | None = None
    why_nothing: str | None = None

    @property
    def patches(self) -> list[Mapping[str, Any]]:
        return [patch for patch in (self.status, self.main) if patch is not None]

    @property
    def unified(self) -> dict[str, Any]:
        """Both in one, for Rollouts that have no status subresource."""
        return {**(self.status or {}), **(self.main or {})}


def promotion(found: Object, full: bool) -> Promotion:
    """`conflict` for an aborted Rollout: promoting it would do nothing that lasts."""
    name, seen = found["metadata"]["name"], rollout_status.status_of(found)
    if seen.get("abort"):
        raise conflict(f"{name} is aborted", f"argo_rollout_action rollout_name={name} action=retry starts it anew")
    main = UNPAUSE if rollout_status.spec_of(found).get("paused") else None
    status = _full(found) if full else _next(found)
    if status is None and main is None:
        return Promotion(why_nothing=_why_nothing(found, full))
    return Promotion({"status": status} if status else None, main)


def _full(found: Object) -> dict[str, Any] | None:
    seen = rollout_status.status_of(found)
    return {"promoteFull": True} if seen.get("currentPodHash") != seen.get("stableRS") else None


def _next(found: Object) -> dict[str, Any] | None:
    seen = rollout_status.status_of(found)
    paused = bool(seen.get("pauseConditions"))
    if rollout_status.is_fully_promoted(found) and not paused:
        return None
    following = min(rollout_status.step_index(found) + 1, len(rollout_status.steps(found)))
    if paused and seen.get("controllerPause") and rollout_status.steps(found) and _is_inconclusive(seen):
        return {"pauseConditions": None, "controllerPause": False, "currentStepIndex": following}
    if paused:
        return {"pauseConditions": None}
    return {"pauseConditions": None, "currentStepIndex": following} if rollout_status.steps(found) else None


def _is_inconclusive(seen: Mapping[str, Any]) -> bool:
    run = (seen.get("canary") or {}).get("currentStepAnalysisRunStatus") or {}
    return run.get("status") == _INCONCLUSIVE


def _why_nothing(found: Object, full: bool) -> str:
    if rollout_status.is_fully_promoted(found):
        return "nothing to promote: the stable version is the current one"
    state, message = rollout_status.phase(found)
    told = f"{state}: {message}" if message else state
    way = "" if full else "; full=true skips what it waits for"
    return f"nothing to promote: it waits for no one ({told}){way}"
