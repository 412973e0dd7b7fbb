"""The tools, resources and prompts that the suite asks a server for, on top of one that this project's factory made."""

import asyncio
import base64
import json
import struct
import zlib
from typing import Any

import mcp_types
from fastmcp import Context, FastMCP
from fastmcp.exceptions import ToolError
from fastmcp.prompts import Message
from fastmcp.resources import ResourceContent, ResourceResult
from fastmcp.server.dependencies import get_context
from fastmcp.tools import Tool, ToolResult

_PAUSE = 0.05  # seconds between two notifications, so that a client receives them as several
_TEXT = mcp_types.TextContent


def _png() -> bytes:
    """One red pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0\xff\0\0")) + chunk(b"IEND", b"")
    )


def _wav() -> bytes:
    """Two samples of silence."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 8000, 1, 8)
    data = struct.pack("<4sI2s", b"data", 2, b"\x80\x80")
    return struct.pack("<4sI4s", b"RIFF", 4 + len(form) + len(data), b"WAVE") + form + data


PNG, WAV = (base64.b64encode(each).decode() for each in (_png(), _wav()))
IMAGE = mcp_types.ImageContent(type="image", data=PNG, mime_type="image/png")


def embedded(uri: str, text: str, kind: str = "text/plain") -> mcp_types.EmbeddedResource:
    contents = mcp_types.TextResourceContents(uri=uri, mime_type=kind, text=text)
    return mcp_types.EmbeddedResource(type="resource", resource=contents)


def add_contents(mcp: FastMCP[Any]) -> None:
    """Tools that answer every kind of content, and one that fails."""
    answers: dict[str, list[Any]] = {
        "test_simple_text": [_TEXT(type="text", text="This is a simple text response for testing.")],
        "test_image_content": [IMAGE],
        "test_audio_content": [mcp_types.AudioContent(type="audio", data=WAV, mime_type="audio/wav")],
        "test_embedded_resource": [embedded("test://embedded-resource", "This is an embedded resource content.")],
        "test_multiple_content_types": [
            _TEXT(type="text", text="Multiple content types test:"),
            IMAGE,
            embedded("test://mixed-content-resource", '{"test":"data","value":123}', "application/json"),
        ],
    }
    for name, content in answers.items():

        def answer(content: list[Any] = content) -> ToolResult:
            return ToolResult(content=content)

        mcp.add_tool(Fixture.of(name, answer))

    def fail() -> ToolResult:
        raise ToolError("This tool intentionally returns an error for testing")

    mcp.add_tool(Fixture.of("test_error_handling", fail))


class Fixture(Tool):
    """A tool with a schema of its own, which the suite reads back."""

    _work: Any = None

    @classmethod
    def of(cls, name: str, work: Any, schema: dict[str, Any] | None = None) -> "Fixture":
        tool = cls(name=name, description=f"Fixture {name}", parameters=schema or {"type": "object", "properties": {}})
        tool._work = work
        return tool

    async def run(self, arguments: dict[str, Any]) -> ToolResult:
        found = self._work(**arguments)
        result: ToolResult = await found if asyncio.iscoroutine(found) else found
        return result


def add_notices(mcp: FastMCP[Any]) -> None:
    """Tools that report while they run."""

    async def log() -> ToolResult:
        for text in ("Tool execution started", "Tool processing data", "Tool execution completed"):
            await get_context().info(text)
            await asyncio.sleep(_PAUSE)
        return ToolResult(content="logged")

    async def progress() -> ToolResult:
        for done in (0, 50, 100):
            await get_context().report_progress(done, 100)
            await asyncio.sleep(_PAUSE)
        return ToolResult(content="reported")

    mcp.add_tool(Fixture.of("test_tool_with_logging", log))
    mcp.add_tool(Fixture.of("test_logging_tool", log))
    mcp.add_tool(Fixture.of("test_tool_with_progress", progress))


def add_questions(mcp: FastMCP[Any]) -> None:
    """Tools that ask the client while they run, as revisions with a handshake do."""

    async def sample(prompt: str) -> ToolResult:
        ctx = get_context()
        message = mcp_types.SamplingMessage(role="user", content=_TEXT(type="text", text=prompt))
        found = await ctx.session.create_message([message], max_tokens=100, related_request_id=ctx.request_id)
        return ToolResult(content=f"LLM response: {getattr(found.content, 'text', '')}")

    async def elicit(message: str) -> ToolResult:
        fields = {"username": "User's response", "email": "User's email address"}
        properties = {name: {"type": "string", "description": text} for name, text in fields.items()}
        return await _ask("User response:", message, properties, [*fields])

    async def defaults() -> ToolResult:
        properties = {
            "name": {"type": "string", "default": "John Doe"},
            "age": {"type": "integer", "default": 30},
            "score": {"type": "number", "default": 95.5},
            "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
            "verified": {"type": "boolean", "default": True},
        }
        return await _ask("Elicitation completed:", "Please review", properties)

    async def enums() -> ToolResult:
        plain, titled = ["option1", "option2", "option3"], [_option(number) for number in ("First", "Second", "Third")]
        legacy = {"enum": ["opt1", "opt2", "opt3"], "enumNames": ["Option One", "Option Two", "Option Three"]}
        properties = {
            "untitledSingle": {"type": "string", "enum": plain},
            "titledSingle": {"type": "string", "oneOf": titled},
            "legacyEnum": {"type": "string", **legacy},
            "untitledMulti": {"type": "array", "items": {"type": "string", "enum": plain}},
            "titledMulti": {"type": "array", "items": {"anyOf": titled}},
        }
        return await _ask("Elicitation completed:", "Please choose", properties)

    text = {"type": "string"}
    mcp.add_tool(Fixture.of("test_sampling", sample, _object({"prompt": text})))
    mcp.add_tool(Fixture.of("test_elicitation", elicit, _object({"message": text})))
    mcp.add_tool(Fixture.of("test_elicitation_sep1034_defaults", defaults))
    mcp.add_tool(Fixture.of("test_elicitation_sep1330_enums", enums))


def _option(number: str) -> dict[str, str]:
    return {"const": f"value{number}", "title": f"{number} Option"}


def _object(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [*properties] if required is None else required}


async def _ask(words: str, message: str, properties: dict[str, Any], required: list[str] | None = None) -> ToolResult:
    ctx: Context = get_context()
    schema = _object(properties, required or [])
    found = await ctx.session.elicit_form(message, schema, related_request_id=ctx.request_id)
    return ToolResult(content=f"{words} action={found.action}, content={json.dumps(found.content)}")


def add_schema(mcp: FastMCP[Any]) -> None:
    """A tool whose schema has what 2020-12 brought, which must come back unchanged."""
    text = {"type": "string"}
    address = {"$anchor": "addressDef", "type": "object", "properties": {"street": text, "city": text}}
    contact = {"contactMethod": {"type": "string", "enum": ["phone", "email"]}, "phone": text, "email": text}
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {"address": address},
        "properties": {"name": text, "address": {"$ref": "#/$defs/address"}, **contact},
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": False,
    }
    mcp.add_tool(Fixture.of("json_schema_2020_12_tool", lambda **_: ToolResult(content="ok"), schema))


def add_resources(mcp: FastMCP[Any]) -> None:
    def contents(content: str | bytes, kind: str) -> ResourceResult:
        return ResourceResult([ResourceContent(content, mime_type=kind)])

    @mcp.resource("test://static-text", description="A text", mime_type="text/plain")
    def text() -> ResourceResult:
        return contents("This is the content of the static text resource.", "text/plain")

    @mcp.resource("test://static-binary", description="An image", mime_type="image/png")
    def binary() -> ResourceResult:
        return contents(_png(), "image/png")

    @mcp.resource("test://watched-resource", description="Can be subscribed to", mime_type="text/plain")
    def watched() -> ResourceResult:
        return contents("as it was", "text/plain")

    @mcp.resource("test://template/{id}/data", description="By its id", mime_type="application/json")
    def by_id(id: str) -> ResourceResult:  # the template's own word
        return contents(json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"}), "application/json")

    async def subscribed(*_: Any) -> mcp_types.EmptyResult:
        return mcp_types.EmptyResult()

    low = mcp._mcp_server
    low.add_request_handler("resources/subscribe", mcp_types.SubscribeRequestParams, subscribed)
    low.add_request_handler("resources/unsubscribe", mcp_types.UnsubscribeRequestParams, subscribed)


def add_prompts(mcp: FastMCP[Any]) -> None:
    @mcp.prompt(name="test_simple_prompt", description="A text")
    def simple() -> str:
        return "This is a simple prompt for testing."

    @mcp.prompt(name="test_prompt_with_arguments", description="A text of two arguments")
    def two(arg1: str, arg2: str) -> str:
        return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"

    @mcp.prompt(name="test_prompt_with_embedded_resource", description="A resource")
    def resource(resourceUri: str) -> list[Message]:  # noqa: N803  # the suite's own word
        found = embedded(resourceUri, "Embedded resource content for testing.")
        return [Message(found), Message("Please process the embedded resource above.")]

    @mcp.prompt(name="test_prompt_with_image", description="An image")
    def image() -> list[Message]:
        return [Message(IMAGE), Message("Please analyze the image above.")]

    @mcp.completion
    def complete(ref: Any, argument: Any, context: Any) -> list[str]:
        return [word for word in ("paris", "park", "party") if word.startswith(argument.value)]
