"""A call under judgement: rehearsed first where it may destroy, put to a person or a token, then carried out.

What a call does is what the doors say (`kmcp_runtime.judging`), never less than its tool declares. The question comes
before the first change: a tool that may destroy runs as a dry run first. What only the real run shows is held back at
the door, and asked while nothing has been changed yet.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from fastmcp.server.context import Context
from fastmcp.tools import ToolResult
from fastmcp.tools.base import InputRequiredToolResult

from kmcp_runtime import judging, live_state, warnings
from kmcp_runtime.audit.record import Entry
from kmcp_runtime.call import Call
from kmcp_runtime.catalog import strongest
from kmcp_runtime.declaration import Effect, ToolSpec
from kmcp_runtime.engine import audit
from kmcp_runtime.engine.account import Account
from kmcp_runtime.engine.approval import Intent
from kmcp_runtime.engine.grants import Grant, by_scopes
from kmcp_runtime.errors import ToolFailure, conflict
from kmcp_runtime.judging import Judgement, NeedsApproval
from kmcp_runtime.output.bound import plain
from kmcp_runtime.output.render import render
from kmcp_runtime.output.results import Result
from kmcp_runtime.redaction import value as redacted
from kmcp_runtime.worker import run_in_thread

if TYPE_CHECKING:
    from kmcp_runtime.engine.configured import ConfiguredServer
    from kmcp_runtime.policy.guard import Guard

_NEEDS = "needs approval: "


@dataclass
class Rehearsal:
    """What a dry run answered, what of it destroys, and the objects it looked at in their states."""

    answer: Result | None = None
    losses: list[str] = field(default_factory=list)
    bound: Mapping[str, str] = field(default_factory=dict)


@dataclass
class JudgedCall:
    """One call of one tool."""

    instance: "ConfiguredServer"
    declared: ToolSpec
    call: Call
    given: Mapping[str, Any]
    """The arguments as the caller wrote them."""
    account: Account
    grant: Grant
    ctx: Context | None
    guard: "Guard | None" = None
    """The policy, where there is one."""
    run: Judgement | None = None
    """That of the run which is no rehearsal, once it has begun."""

    @property
    def entry(self) -> Entry:
        return self.account.entry

    async def answer(self) -> Result | ToolResult:
        """The tool's result, or a question that the client must put to a person first."""
        effect = self.declared.effect_of(self.call.arguments)
        if self.call.arguments.get("dry_run"):
            return await self._dry_run()
        rehearsal = await self._rehearse_first(effect)
        if effect is Effect.DESTROY or (rehearsal is not None and rehearsal.losses):
            assert rehearsal is not None
            return await self._with_a_yes(rehearsal)
        # Each request is judged as it is sent, by what is live then: nothing that the rehearsal found is used again.
        judgement = self._judgement(approved=self._asks_nobody())
        with live_state.planning() as bound:
            with suppress(NeedsApproval):
                result = await self._carry_out(judgement, None)
                if not judgement.refused:
                    return result
        if judgement.sent:
            raise conflict(
                f"stopped before it destroyed something nobody said yes to ({'; '.join(judgement.losses)}); "
                f"{judgement.sent} earlier changes of this call were made",
                "look at what was changed, then call again",
            )
        found = Rehearsal(rehearsal.answer if rehearsal else None, judgement.told(), dict(bound))
        return await self._with_a_yes(found)

    def _asks_nobody(self) -> bool:
        return self.instance.approvals.mode == "off"

    async def _rehearse_first(self, effect: Effect) -> Rehearsal | None:
        """The rehearsal of what destroys, or may; None for what cannot, or cannot be rehearsed."""
        if effect is Effect.DESTROY:
            rehearsal = await self._rehearse()
            self._stop_if_refused()
            return rehearsal
        rehearsable = self.declared.can_destroy() and "dry_run" in self.declared.arguments.model_fields
        # With a policy also where nobody is asked: what it refuses must not come after a first change.
        if effect is Effect.READ or not rehearsable or (self._asks_nobody() and self.guard is None):
            return None
        try:
            found = await self._rehearse()
        except ToolFailure:
            if self.guard is not None and self.guard.refused is not None:
                raise self.guard.refused from None
            # The real run meets the same fault, or one that a dry run alone has; the doors judge it all the same.
            return None
        self._stop_if_refused()
        return found

    async def _rehearse(self) -> Rehearsal:
        judgement = self._judgement(rehearsal=True)
        quiet = replace(self.call, arguments={**self.call.arguments, "dry_run": True}, report=None)
        answer = None
        with live_state.planning() as bound, judging.under(judgement), warnings.gathered():
            # What it would do may not be shown without doing it: then its reasons are the plan.
            with suppress(NeedsApproval):
                answer = await self._invoke(quiet)
        return Rehearsal(answer, judgement.told(), dict(bound))

    def _stop_if_refused(self) -> None:
        """A tool may go on after a refusal by the policy, as one that takes many objects does: the call must not."""
        refused = (self.guard.refused or self.guard.unseen) if self.guard is not None else None
        if refused is not None:
            raise refused

    async def _dry_run(self) -> Result:
        judgement = self._judgement(rehearsal=True)
        with judging.under(judgement), warnings.gathered() as heard:
            try:
                result = await self._invoke(self.call)
            except NeedsApproval:
                losses = "; ".join(judgement.told())
                raise conflict(f"a dry run does not do this: {losses}", "leave out dry_run: it asks first") from None
        self._tell(judgement)
        return _with_warnings(result, [*heard, *(_NEEDS + loss for loss in judgement.told())])

    async def _with_a_yes(self, rehearsal: Rehearsal) -> Result | ToolResult:
        self.entry.effect = Effect.DESTROY.value
        self.grant.check(self.declared.name, Effect.DESTROY)
        if self.guard is not None:
            self.guard.settle(Effect.DESTROY)
        ask = await self._decide(rehearsal)
        if ask is not None:
            return ask
        if self.guard is not None:
            self.guard.approved(self.entry.approval)
            self.guard.settle(Effect.DESTROY)
        # Judged anew: a person may have taken minutes, and a yes is for the state that the plan showed.
        judgement = self._judgement(approved=True)
        return await self._carry_out(judgement, rehearsal.bound)

    async def _carry_out(self, judgement: Judgement, approved: Mapping[str, str] | None) -> Result:
        # Only a line that must be on the disk first is worth a thread.
        if self.account.trail.required and Effect(self.entry.effect) is not Effect.READ:
            await run_in_thread(self.account.begin)
        self.run = judgement
        with warnings.gathered() as heard, live_state.acting(approved), judging.under(judgement):
            result = await self._invoke(self.call)
        self._tell(judgement)
        return _with_warnings(result, heard)

    def _tell(self, judgement: Judgement) -> None:
        """What the call did is what the doors say, never less than its tool declares."""
        self.entry.effect = strongest((judgement.effect, Effect(self.entry.effect))).value

    async def _decide(self, rehearsal: Rehearsal) -> ToolResult | None:
        """A result when the client must be asked first; None when the call may go on."""
        shown: dict[str, Any] = await run_in_thread(plain, rehearsal.answer) if rehearsal.answer is not None else {}
        plan = {**({"destroys": redacted(rehearsal.losses)} if rehearsal.losses else {}), **shown}
        given = {name: value for name, value in self.given.items() if value is not None}
        # Bound before anything is hidden: a plan is then the same on every replica, a change of what is hidden is one.
        answered = rehearsal.answer.model_dump(exclude_none=True) if rehearsal.answer is not None else {}
        if rehearsal.bound:
            # It moves with each status that a controller writes; the objects themselves are in `live`.
            answered.pop("resource_version", None)
        whole = {**answered, "live": rehearsal.bound, "destroys": rehearsal.losses}
        intent = Intent.of(self.declared.name, given, self.call.bound_to, whole)
        token = self.call.arguments.get("approval")
        try:
            decision = await self.instance.approvals.decide(intent, render(plan, frame=True), plan, token, self.ctx)
        except ToolFailure as failure:
            self.entry.approval = "required" if failure.code == "approval_required" else "refused"
            self.entry.approval_id = audit.approval_id(failure.details.get("approval"))
            raise
        self.entry.approval = decision.how
        if decision.ask is None:
            audit.approved(self.entry, token)
            return None
        self.entry.outcome = "input_required"
        return InputRequiredToolResult(decision.ask)

    def _judgement(self, **more: Any) -> Judgement:
        allowed = frozenset({Effect.READ}) if self.call.read_only else self.grant.effects
        return Judgement(allowed, self._refusal, guard=self.guard, begin=self.account.begin, **more)

    def _refusal(self, reason: str) -> ToolFailure:
        """The failure of a request beyond the scopes, or on a server that only reads."""
        if not self.call.read_only:
            return self.grant.refusal(self.declared.name)
        # The same words for both; but only where the caller's scopes say so do they stand in the audit as the reason.
        failure = judging.read_only(reason)
        return by_scopes(failure) if self.grant.effects == {Effect.READ} else failure

    async def _invoke(self, call: Call) -> Any:
        own = {name: value for name, value in call.arguments.items() if name in self.declared.parameters}
        try:
            return await self.declared.function(**own, **self.instance.provided(self.declared.injections, call))
        finally:
            call.ended()


def _with_warnings(result: Result, heard: list[str]) -> Result:
    if heard:
        result.warnings = list(dict.fromkeys([*(result.warnings or ()), *heard]))
    return result
