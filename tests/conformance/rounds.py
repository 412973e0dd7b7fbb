"""Fixtures of revision 2026-07-28: what a call asks for comes back in the next one (SEP-2322), and its headers."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import mcp_types
from fastmcp import FastMCP
from fastmcp.server.dependencies import get_context
from fastmcp.tools import ToolResult
from fastmcp.tools.base import InputRequiredToolResult
from mcp.shared.exceptions import MCPError

from tests.conformance.fixtures import Fixture

Requests = Mapping[str, Any]


def form(message: str, name: str, kind: str = "string") -> mcp_types.ElicitRequest:
    schema = {"type": "object", "properties": {name: {"type": kind}}, "required": [name]}
    return mcp_types.ElicitRequest(params=mcp_types.ElicitRequestFormParams(message=message, requested_schema=schema))


def sampling(text: str, tokens: int) -> mcp_types.CreateMessageRequest:
    content = mcp_types.TextContent(type="text", text=text)
    messages = [mcp_types.SamplingMessage(role="user", content=content)]
    return mcp_types.CreateMessageRequest(
        params=mcp_types.CreateMessageRequestParams(messages=messages, max_tokens=tokens)
    )


NAME = {"user_name": form("What is your name?", "name")}
CAPITAL = {"capital_question": sampling("What is the capital of France?", 100)}
ROOTS = {"client_roots": mcp_types.ListRootsRequest()}
CONFIRM = {"confirm": form("Please confirm", "ok", "boolean")}
MANY = {**NAME, "greeting": sampling("Generate a greeting", 50), **ROOTS}
ONE = {"step1": form("Step 1: What is your name?", "name")}
TWO = {"step2": form("Step 2: What is your favorite color?", "color")}


def asking(requests: Requests, done: str, state: str | None = None) -> Callable[[], ToolResult]:
    """A tool that is done once every request has an answer; `{}` in `done` is what they are."""

    def run() -> ToolResult:
        given = answers()
        if requests.keys() <= given.keys():
            return ToolResult(content=done.format(json.dumps(given)))
        return InputRequiredToolResult(
            mcp_types.InputRequiredResult(input_requests=dict(requests), request_state=state)
        )

    return run


def answers() -> dict[str, Any]:
    found = get_context().input_responses or {}
    return {name: value.model_dump(mode="json", by_alias=True) for name, value in found.items()}


def several_rounds() -> ToolResult:
    state = get_context().request_state
    if state == "two" and "step2" in answers():
        return ToolResult(content=f"done: {answers()}")
    requests, following = (TWO, "two") if state == "one" and "step1" in answers() else (ONE, "one")
    return InputRequiredToolResult(
        mcp_types.InputRequiredResult(input_requests=dict(requests), request_state=following)
    )


def by_capabilities() -> ToolResult:
    """Asks only for what the client said that it can answer."""
    had = get_context().session.client_capabilities
    able: dict[str, Requests] = {"elicitation": NAME, "sampling": CAPITAL, "roots": ROOTS}
    requests = {key: each for name, part in able.items() if had and getattr(had, name) for key, each in part.items()}
    return asking(requests, "done: {}")()


def needs_sampling() -> ToolResult:
    had = get_context().session.client_capabilities
    if had is None or had.sampling is None:
        needed: dict[str, Any] = {"requiredCapabilities": {"sampling": {}}}
        raise MCPError(mcp_types.MISSING_REQUIRED_CLIENT_CAPABILITY, "this tool needs sampling", needed)
    return ToolResult(content="sampling is there")


def add_rounds(mcp: FastMCP[Any]) -> None:
    tools = {
        "elicitation": asking(NAME, "Hello, {}!"),
        "sampling": asking(CAPITAL, "the model says {}"),
        "list_roots": asking(ROOTS, "the roots are {}"),
        "request_state": asking(CONFIRM, "state-ok {}", "confirming"),
        "tampered_state": asking(CONFIRM, "state-ok {}", "confirming"),
        "multiple_inputs": asking(MANY, "all of it: {}", "many"),
        "multi_round": several_rounds,
        "capabilities": by_capabilities,
    }
    for name, work in tools.items():
        mcp.add_tool(Fixture.of(f"test_input_required_result_{name}", work))
    mcp.add_tool(Fixture.of("test_missing_capability", needs_sampling))
    mcp.add_tool(Fixture.of("test_streaming_elicitation", asking(NAME, "Hello, {}!")))
    headers = {name: {"type": "string", "x-mcp-header": name.title()} for name in ("region", "tenant")}
    schema = {"type": "object", "properties": headers}
    mcp.add_tool(Fixture.of("test_custom_headers", lambda **given: ToolResult(content=json.dumps(given)), schema))

    @mcp.prompt(name="test_input_required_result_prompt", description="Asks first")
    def prompt() -> Any:
        if "user_context" in answers():
            return f"In this context: {answers()['user_context']}"
        question = {"user_context": form("What context should the prompt use?", "context")}
        return mcp_types.InputRequiredResult(input_requests=dict(question))
