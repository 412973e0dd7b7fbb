"""Promoting and pausing a rollout."""

from typing import Annotated, Any

from pydantic import Field

from kmcp_argo.arguments import RolloutName, Written
from kmcp_argo.changes import apply, describe_change
from kmcp_argo.client import Argo
from kmcp_argo.rollouts import rollout_status
from kmcp_argo.rollouts.promotion_patch import promotion
from kmcp_runtime import DryRun, Effect, OptionalNamespace, Rule, tool
from kmcp_runtime.kube import objects

_NEEDS = (
    Rule("argoproj.io", ("rollouts",), ("get", "patch")),
    Rule("argoproj.io", ("rollouts/status",), ("patch",)),
    Rule("apps", ("deployments",), ("list",)),
)


class Promoted(Written):
    """From which step to which a promotion went."""

    from_step: str | None = None
    to_step: str | None = None
    patches: list[dict[str, Any]] = Field(description="What was sent, to the status first, then to the object")


class Paused(Written):
    """Whether the rollout is paused now."""

    paused: bool


@tool(Effect.WRITE, needs=_NEEDS)
async def argo_promote_rollout(
    argo: Argo,
    rollout_name: RolloutName,
    namespace: OptionalNamespace = None,
    full: Annotated[bool, "Skip all steps, pauses and analysis"] = False,
    dry_run: DryRun = False,
) -> Promoted:
    """Continue a paused rollout with its next step, or with full=true to the end."""
    namespace = argo.namespace(namespace)
    before = await argo.read_rollout(rollout_name, namespace)
    wanted = promotion(before, full)
    after = await apply(argo, before, wanted, dry_run)
    answer = await describe_change(argo, before, after, dry_run)
    return Promoted(
        **answer,
        from_step=rollout_status.step(before),
        to_step=rollout_status.step(after),
        patches=[dict(patch) for patch in wanted.patches],
        hint=wanted.why_nothing,
    )


@tool(Effect.WRITE, needs=(_NEEDS[0], _NEEDS[2]), idempotent=True)
async def argo_pause_rollout(
    argo: Argo, rollout_name: RolloutName, namespace: OptionalNamespace = None, dry_run: DryRun = False
) -> Paused:
    """Pause a rollout where it is; argo_rollout_action action=resume continues there."""
    namespace = argo.namespace(namespace)
    before = await argo.read_rollout(rollout_name, namespace)
    after = before
    if not rollout_status.spec_of(before).get("paused"):
        after = await argo.patch("rollouts", rollout_name, namespace, {"spec": {"paused": True}}, dry_run=dry_run)
    answer = await describe_change(argo, before, after, dry_run)
    is_paused = bool(rollout_status.spec_of(before if dry_run else after).get("paused"))
    return Paused(**answer, paused=is_paused, hint=_how_to_go_on(after))


def _how_to_go_on(found: objects.Object) -> str:
    name = found["metadata"]["name"]
    resume = f"argo_rollout_action rollout_name={name} action=resume continues it"
    # A promotion of what no step has paused skips the current step, for example a running analysis.
    if rollout_status.steps(found) and not rollout_status.status_of(found).get("pauseConditions"):
        return f"{resume}; argo_promote_rollout would also skip the current step."
    return f"{resume}."
