"""No destruction without a yes: asked of a person where the client can, else by a plan and a sealed token.

A token is bound to the tool, its arguments, the caller and the digest of the plan; it is good for ten minutes and,
in the process that took it, once. Before acting the plan is made again and must be the same, so a token whose work is
done no longer fits, on any replica.
"""

import base64
import binascii
import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import mcp_types
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fastmcp.server.context import Context
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from kmcp_runtime.errors import ToolFailure, denied

Mode = Literal["plan", "ask", "off"]
How = Literal["asked", "token", "off", "required", "refused"]
GOOD_FOR_SECONDS = 600
_NONCE_BYTES = 12
_QUESTION = "confirm"
_ANSWER_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"ok": {"type": "boolean", "title": "Do it", "description": "Yes, do this"}},
    "required": ["ok"],
}


@dataclass(frozen=True)
class Intent:
    """What a token is bound to."""

    tool: str
    arguments: str
    caller: str
    plan: str

    @classmethod
    def of(cls, tool: str, arguments: Mapping[str, Any], caller: str, plan: Mapping[str, Any]) -> "Intent":
        given = {name: value for name, value in arguments.items() if name != "approval"}
        told = {name: value for name, value in plan.items() if name not in ("warnings", "hint")}
        return cls(tool, _digest(given), caller, _digest(told))


class Approvals:
    """Seals, opens and remembers tokens; asks people."""

    def __init__(self, mode: Mode, key: str | None, clock: Callable[[], float] = time.time) -> None:
        self.mode = mode
        self._clock = clock
        self._cipher = AESGCM(
            hashlib.sha256(b"kmcp-suite/approval/v1:" + key.encode()).digest() if key else os.urandom(32)
        )
        self._used: dict[str, float] = {}

    async def decide(
        self, intent: Intent, plan: str, details: Any, given: str | None, ctx: Context | None
    ) -> "Decision":
        """Whether to act: `Decision.ask` holds the question when the client must be asked in another round."""
        if self.mode == "off":
            return Decision("off")
        if given and self.mode == "plan":
            self._redeem(given, intent, details)
            return Decision("token")
        if ctx is not None and _can_be_asked(ctx):
            return await self._ask(ctx, intent, plan, details)
        if self.mode == "ask":
            raise denied(
                f"{intent.tool} needs a person's yes (KMCP_APPROVAL=ask) and this client cannot be asked",
                "use a client that supports elicitation, or call with dry_run=true to see the plan",
            )
        raise self._required(intent, details, f"{intent.tool} changes nothing without approval")

    async def _ask(self, ctx: Context, intent: Intent, plan: str, details: Any) -> "Decision":
        message = f"{intent.tool} is about to do this:\n{plan}\nGo on?"
        request = ctx.request_context
        if request is None or request.protocol_version not in MODERN_PROTOCOL_VERSIONS:
            answer = await ctx.elicit(message, bool)
            return _decided(answer.action == "accept" and getattr(answer, "data", None) is True, intent)
        responses = ctx.input_responses or {}
        if _QUESTION not in responses:
            form = mcp_types.ElicitRequestFormParams(message=message, requested_schema=_ANSWER_SCHEMA)
            return Decision(
                "required",
                mcp_types.InputRequiredResult(
                    input_requests={_QUESTION: mcp_types.ElicitRequest(params=form)}, request_state=self._seal(intent)
                ),
            )
        self._redeem(ctx.request_state or "", intent, details)
        reply = responses[_QUESTION]
        accepted = getattr(reply, "action", None) == "accept" and bool(
            (getattr(reply, "content", None) or {}).get("ok")
        )
        return _decided(accepted, intent)

    def _required(self, intent: Intent, details: Any, why: str) -> ToolFailure:
        return ToolFailure(
            "approval_required",
            why,
            f"show the plan to whoever decides, then repeat the call with the same arguments and approval=<the token>; "
            f"good for {GOOD_FOR_SECONDS // 60} minutes",
            details={"plan": details, "approval": self._seal(intent)},
        )

    def _seal(self, intent: Intent) -> str:
        body = {**vars(intent), "expires": self._clock() + GOOD_FOR_SECONDS, "nonce": secrets.token_hex(8)}
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, json.dumps(body).encode(), None)
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def _redeem(self, token: str, intent: Intent, details: Any) -> None:
        body = self._open(token)
        fault = _mismatch(body, intent, self._clock()) if body else "the approval token is not one of this server's"
        if body and not fault and body["nonce"] in self._used:
            fault = "the approval token has been used"
        if fault or body is None:
            raise self._required(intent, details, f"{fault}; nothing was changed")
        now = self._clock()
        self._used = {nonce: expires for nonce, expires in self._used.items() if expires > now}
        self._used[body["nonce"]] = body["expires"]

    def _open(self, token: str) -> dict[str, Any] | None:
        try:
            sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            plain = self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)
        except (binascii.Error, ValueError, InvalidTag):
            return None
        body: dict[str, Any] = json.loads(plain)
        return body


@dataclass(frozen=True)
class Decision:
    how: How
    ask: mcp_types.InputRequiredResult | None = None


def _decided(accepted: bool, intent: Intent) -> Decision:
    if not accepted:
        raise denied(f"the person who was asked said no to {intent.tool}; nothing was changed")
    return Decision("asked")


def _can_be_asked(ctx: Context) -> bool:
    if ctx.request_context is None:
        return False
    capabilities = ctx.session.client_capabilities
    return capabilities is not None and capabilities.elicitation is not None


def _mismatch(body: Mapping[str, Any], intent: Intent, now: float) -> str | None:
    if body["expires"] < now:
        return "the approval token has expired"
    if body["tool"] != intent.tool or body["arguments"] != intent.arguments:
        return "the approval token was given for other arguments"
    if body["caller"] != intent.caller:
        return "the approval token was given to another caller"
    if body["plan"] != intent.plan:
        return "what the call would do has changed since it was approved"
    return None


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:24]
