"""What a foreign server wants to know of the user while it answers, put to the client of the call.

A client with a handshake is asked on the stream of its call; one without gets the question as the result of the call,
and answers with the next one. The question always says who asks.
"""

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import mcp_types
from fastmcp.server.context import Context
from fastmcp.tools.base import InputRequiredToolResult
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

from kmcp_runtime.catalog import Effect
from kmcp_runtime.engine.approval import can_be_asked, is_modern
from kmcp_runtime.engine.audit import context_of_request
from kmcp_runtime.errors import ToolFailure, conflict
from kmcp_runtime.foreign.attending import Asked
from kmcp_runtime.foreign.json_rpc import RefusedError
from kmcp_runtime.foreign.schema_forms import object_fault
from kmcp_runtime.foreign.scrubbing import scrub
from kmcp_runtime.foreign.shown_words import line, shown_schema

if TYPE_CHECKING:
    from kmcp_runtime.foreign.listed_tools import ForeignSpec

ELICIT = "elicitation/create"
_MOST_QUESTIONS = 10
_LONGEST, _LONGEST_NAME = 2000, 128
_LARGEST_STATE = 64 << 10
"""Characters: the client has to send it back within the bounds of a request."""
_REFUSED, _MALFORMED = -32601, -32602


def asking(server: str) -> Asked:
    """Answers what the server asks on the stream of its answer."""

    async def asked(method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        ctx = context_of_request()
        if method != ELICIT or ctx is None or is_modern(ctx) or not can_be_asked(ctx):
            raise RefusedError(_REFUSED, f"{method}: the client of this call cannot be asked")
        if fault := object_fault(_schema(params)):
            raise RefusedError(_MALFORMED, f"{method}: the requestedSchema {fault}")
        return await _elicited(ctx, server, params)

    return asked


def answers_of_client() -> dict[str, Any]:
    """What the client answers to the questions of its last call, as the server takes it; nothing where it does not."""
    ctx = context_of_request()
    if ctx is None or not is_modern(ctx) or not ctx.input_responses:
        return {}
    given = {
        name: answer.model_dump(mode="json", by_alias=True, exclude_none=True)
        for name, answer in ctx.input_responses.items()
        if name.startswith(_OURS)
    }
    if not given:
        return {}
    found: dict[str, Any] = {"inputResponses": {name.removeprefix(_OURS): value for name, value in given.items()}}
    return found | ({"requestState": ctx.request_state} if ctx.request_state else {})


_OURS = "foreign-"
"""Before the names of its questions, so that none of them is that of an approval."""


async def put(server: str, spec: "ForeignSpec", result: Mapping[str, Any]) -> dict[str, Any] | InputRequiredToolResult:
    """What goes with the next request to the server, or the question that is the result of this call.

    Errors: `conflict`, where this client cannot be asked.
    """
    ctx, state = context_of_request(), result.get("requestState")
    requests = result.get("inputRequests")
    asked = requests if isinstance(requests, dict) else {}
    if isinstance(state, str) and len(state) > _LARGEST_STATE:
        raise _unasked(server, spec, f"the state that it wants back is larger than {_LARGEST_STATE >> 10} KiB")
    if len(asked) > _MOST_QUESTIONS or not all(map(_is_question, asked, asked.values())):
        raise _unasked(server, spec, "what it asks for is not a question to the user")
    if ctx is None or (asked and not can_be_asked(ctx)):
        raise _unasked(server, spec, "this client cannot be asked")
    if not is_modern(ctx):
        answers = {name: await _elicited(ctx, server, each.get("params") or {}) for name, each in asked.items()}
        return {"inputResponses": answers, **({"requestState": state} if isinstance(state, str) else {})}
    if spec.effect is Effect.DESTROY:
        # The next call would be a new one, and its yes another.
        raise _unasked(server, spec, "this client can be asked once for a call, which the approval has used")
    questions: Any = {_OURS + name: _question(server, each.get("params") or {}) for name, each in asked.items()}
    text = state if isinstance(state, str) else secrets.token_hex(8)
    return InputRequiredToolResult(mcp_types.InputRequiredResult(input_requests=questions, request_state=text))


def _unasked(server: str, spec: "ForeignSpec", why: str) -> ToolFailure:
    text = f"the foreign server {server} asks something before it goes on with {spec.original}, and {why}"
    return conflict(text, "use a client that supports elicitation, or the server itself", backend=server)


def _is_question(name: str, value: Any) -> bool:
    if len(name) > _LONGEST_NAME or not isinstance(value, dict) or value.get("method") != ELICIT:
        return False
    params = value.get("params", {})
    return isinstance(params, dict) and not object_fault(_schema(params))


def _words(server: str, params: Mapping[str, Any]) -> str:
    said = params.get("message")
    text = line(said, _LONGEST) if isinstance(said, str) else ""
    return f"The foreign server {server} asks (its words, give it no secret): {text}"


def _schema(params: Mapping[str, Any]) -> Any:
    """What it wants to know, as it wrote it; without any a yes is wanted."""
    asked = scrub(params.get("requestedSchema") or {})
    return {"type": "object", "properties": {}, **asked} if isinstance(asked, dict) else asked


def _form(server: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """The form as it is shown: each of its fields says whose it is, as clients may show it without the message."""
    form = shown_schema(_schema(params))
    for name, field in form["properties"].items():
        field["title"] = f"{server}: {field.get('title') or name}"
        if "description" in field:
            field["description"] = f"{server} says: {field['description']}"
    for key in ("title", "description"):
        if key in form:
            form[key] = f"{server} says: {form[key]}"
    return form


def _question(server: str, params: Mapping[str, Any]) -> mcp_types.ElicitRequest:
    form = mcp_types.ElicitRequestFormParams(message=_words(server, params), requested_schema=_form(server, params))
    return mcp_types.ElicitRequest(params=form)


async def _elicited(ctx: Context, server: str, params: Mapping[str, Any]) -> dict[str, Any]:
    try:
        form = _form(server, params)
        answer = await ctx.session.elicit_form(_words(server, params), form, related_request_id=ctx.request_id)
    except (MCPError, ValidationError):
        return {"action": "cancel"}
    return answer.model_dump(mode="json", by_alias=True, exclude_none=True)
