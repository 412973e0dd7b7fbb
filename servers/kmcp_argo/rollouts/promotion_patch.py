"""The patches of a promotion, as `kubectl argo rollouts promote` sends them, or why there are none. Pure."""

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
    """What to send: `status` to the status subresource first, then `main` to the object."""

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
    """The patches for the next step, or with `full` for the end; `conflict` for the next step of an aborted Rollout."""
    name, seen = found["metadata"]["name"], rollout_status.status_of(found)
    # An aborted Rollout keeps its abort flag, so the controller would take a promotion straight back.
    # A full promotion it does take.
    if seen.get("abort") and not full:
        raise conflict(
            f"{name} is aborted",
            f"argo_rollout_action rollout_name={name} action=retry starts it again; full=true promotes it to the end",
        )
    main = UNPAUSE if rollout_status.spec_of(found).get("paused") else None
    status = _full(found) if full else _next(found)
    if status is None and main is None:
        return Promotion(why_nothing=_why_nothing(found, full))
    return Promotion({"status": status} if status else None, main)


def _full(found: Object) -> dict[str, Any] | None:
    seen = rollout_status.status_of(found)
    # At the stable version there is nothing to promote, and the plugin sends no promoteFull (promote.go, getPatches).
    return {"promoteFull": True} if seen.get("currentPodHash") != seen.get("stableRS") else None


def _next(found: Object) -> dict[str, Any] | None:
    seen = rollout_status.status_of(found)
    paused = bool(seen.get("pauseConditions"))
    if rollout_status.is_fully_promoted(found) and not paused:
        return None
    following = min(rollout_status.step_index(found) + 1, len(rollout_status.steps(found)))
    # The step must advance as well, or the inconclusive analysis would pause it again (promote.go, getPatches).
    if paused and seen.get("controllerPause") and rollout_status.steps(found) and _is_inconclusive(seen):
        return {"pauseConditions": None, "controllerPause": False, "currentStepIndex": following}
    if paused:
        return {"pauseConditions": None}
    # Not paused, as during an analysis: the plugin then skips the current step.
    return {"pauseConditions": None, "currentStepIndex": following} if rollout_status.steps(found) else None


def _is_inconclusive(seen: Mapping[str, Any]) -> bool:
    run = (seen.get("canary") or {}).get("currentStepAnalysisRunStatus") or {}
    return run.get("status") == _INCONCLUSIVE


def _why_nothing(found: Object, full: bool) -> str:
    if rollout_status.is_fully_promoted(found):
        return "nothing to promote: the stable version is the current one"
    state, message = rollout_status.phase(found)
    described = f"{state}: {message}" if message else state
    way = "" if full else "; full=true skips what it is waiting for"
    return f"nothing to promote: it is not waiting to be promoted ({described}){way}"
