"""No destruction without a yes: of a person where the client can ask one, else by a plan and a sealed token.

A client that can be asked is always asked, whatever it sends as `approval`. A token exists only for a client that
cannot be; it is bound to the tool, its arguments, the caller and the digest of the plan, is good for ten minutes, and
once. Before acting the plan is made again and must be the same. A bad token begets nothing: neither a token nor a plan.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import mcp_types
from fastmcp.server.context import Context
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from kmcp_runtime.engine.sealing import GOOD_FOR_SECONDS, Seal, Sealed, Use
from kmcp_runtime.engine.single_use import UsedTokens
from kmcp_runtime.errors import ToolFailure, denied
from kmcp_runtime.output.results import Rendered

log = logging.getLogger("kmcp.approval")
Mode = Literal["plan", "ask", "off"]
How = Literal["asked", "token", "off", "required", "refused"]
_QUESTION = "confirm"
_ANSWER_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"ok": {"type": "boolean", "title": "Do it", "description": "Yes, do this"}},
    "required": ["ok"],
}
_CALL_AGAIN = "call again without approval"


@dataclass(frozen=True)
class Intent:
    """What a token is bound to."""

    tool: str
    arguments: str
    caller: str
    plan: str

    @classmethod
    def of(cls, tool: str, arguments: Mapping[str, Any], caller: str, plan: Mapping[str, Any]) -> "Intent":
        """`plan` is what a dry run answered, before anything in it was hidden: what is hidden may change too."""
        if not plan.get("live"):
            # The yes would be for a plan in words alone, and what took its place meanwhile would be destroyed.
            log.error("%s destroys, and its plan bound nothing that it found (live_state.bind)", tool)
        given = {name: value for name, value in arguments.items() if name != "approval"}
        bound = {name: value for name, value in plan.items() if name not in ("warnings", "hint")}
        return cls(tool, _digest(given), caller, _digest(bound))


@dataclass(frozen=True)
class Decision:
    """How a call was allowed; `ask` holds the question when the client must be asked in another round."""

    how: How
    ask: mcp_types.InputRequiredResult | None = None


class Approvals:
    """Asks people, and makes and takes tokens where nobody can be asked."""

    def __init__(self, mode: Mode, seal: Seal, used: UsedTokens) -> None:
        self.mode = mode
        self._seal = seal
        self._used = used

    async def decide(self, intent: Intent, plan: str, details: Any, given: str | None, ctx: Context | None) -> Decision:
        """Return when the call may go on or the client must be asked first; raise where it may not."""
        if self.mode == "off":
            return Decision("off")
        if ctx is not None and can_be_asked(ctx):
            return await self._ask(ctx, intent, plan)
        if self.mode == "ask":
            raise denied(
                f"{intent.tool} needs a person's approval (KMCP_APPROVAL=ask) and this client cannot be asked",
                "use a client that supports elicitation, or call with dry_run=true to see the plan",
            )
        if given:
            await self._redeem("token", given, intent)
            return Decision("token")
        raise ToolFailure(
            "approval_required",
            f"{intent.tool} changes nothing without approval",
            f"show the plan to whoever decides, then repeat the call with the same arguments and approval=<the token>; "
            f"good for {GOOD_FOR_SECONDS // 60} minutes",
            details={"plan": details, "approval": self._seal.close("token", **vars(intent))},
        )

    async def _ask(self, ctx: Context, intent: Intent, plan: str) -> Decision:
        message = f"{intent.tool} is about to do this:\n{plan}\nGo on?"
        if not is_modern(ctx):
            return _decided(await _request_answer(ctx, message), intent)
        responses = ctx.input_responses or {}
        if _QUESTION not in responses:
            form = mcp_types.ElicitRequestFormParams(message=message, requested_schema=_ANSWER_SCHEMA)
            question = mcp_types.InputRequiredResult(
                input_requests={_QUESTION: mcp_types.ElicitRequest(params=form)},
                request_state=self._seal.close("question", **vars(intent)),
            )
            return Decision("required", question)
        # The answer first: a no must not use the question up, and needs no place where uses are noted.
        decision = _decided(responses[_QUESTION], intent)
        await self._redeem("question", ctx.request_state or "", intent)
        return decision

    async def _redeem(self, use: Use, token: str, intent: Intent) -> None:
        sealed = self._seal.open(use, token)
        fault = _mismatch(sealed, intent, self._seal.clock()) if sealed else _FOREIGN[use]
        if sealed and not fault:
            fault = await self._used.take(sealed)
        if fault:
            raise ToolFailure("approval_required", f"{fault}; nothing was changed", _CALL_AGAIN)


_FOREIGN: Mapping[Use, str] = {
    "token": "the approval token is not one of this server's",
    "question": "the answer does not belong to a question of this server",
}


async def _request_answer(ctx: Context, message: str) -> mcp_types.ElicitResult | None:
    """What the client answered (revisions with a handshake); None for what is not an answer at all."""
    # Not `ctx.elicit`: it would convert the answer to the type asked for, and so take "false" or 1 for a yes.
    try:
        return await ctx.session.elicit_form(message, _ANSWER_SCHEMA, related_request_id=ctx.request_id)
    except (MCPError, ValidationError):
        return None


def _decided(answer: object, intent: Intent) -> Decision:
    if not _is_yes(answer):
        raise denied(f"the person who was asked did not approve {intent.tool}; nothing was changed")
    return Decision("asked")


def _is_yes(answer: object) -> bool:
    """True for the one answer that is a yes: accepted, with JSON `true` where it was asked for and nothing else."""
    if not isinstance(answer, mcp_types.ElicitResult) or answer.action != "accept" or not answer.content:
        return False
    # `is`, since 1 == True in Python.
    return set(answer.content) == {"ok"} and answer.content["ok"] is True


def is_modern(ctx: Context) -> bool:
    """Whether the client speaks a revision without a handshake, in which a question travels in a result."""
    return ctx.request_context is not None and ctx.request_context.protocol_version in MODERN_PROTOCOL_VERSIONS


def can_be_asked(ctx: Context) -> bool:
    """Whether the client said that it shows forms to a person, and the question can reach it."""
    if ctx.request_context is None:
        return False
    capabilities = ctx.session.client_capabilities
    asking = capabilities.elicitation if capabilities is not None else None
    # Without a mode it means forms (as it did before modes existed); with `url` alone the client only opens addresses.
    if asking is None or (asking.url is not None and asking.form is None):
        return False
    # Since 2026 the question travels in the result; before, it needs a session or a stream that is open both ways.
    return is_modern(ctx) or ctx.session.can_send_request


def _mismatch(sealed: Sealed, intent: Intent, now: float) -> str | None:
    if sealed.expires < now:
        return "the approval token has expired"
    if sealed.tool != intent.tool or sealed.arguments != intent.arguments:
        return "the approval token was issued for different arguments"
    if sealed.caller != intent.caller:
        return "the approval token was given to another caller"
    if sealed.plan != intent.plan:
        return "what the call would do has changed since it was approved"
    return None


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(_canonical(content)).encode()).hexdigest()


def _canonical(node: Any) -> Any:
    """JSON that is equal for equal content, whatever the order of keys."""
    # A field that is still to become text counts with all that it holds, also what the text leaves out or hides.
    if isinstance(node, Rendered):
        return _canonical(vars(node))
    if isinstance(node, Mapping):
        # Pairs, because keys of YAML may be of several types, which do not sort.
        pairs = ([str(key), _canonical(item)] for key, item in node.items())
        return sorted(pairs, key=lambda pair: str(pair[0]))
    if isinstance(node, list | tuple):
        return [_canonical(item) for item in node]
    return node if isinstance(node, str | int | float | None) else str(node)
