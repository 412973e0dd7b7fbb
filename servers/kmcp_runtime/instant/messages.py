"""What can be answered without the engine, and the answers; everything else is None and the engine's.

A message is answered here only where the engine could not answer otherwise: its shape is checked more strictly than
the protocol's library checks it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from kmcp_runtime import apps
from kmcp_runtime.errors import ERROR_META

VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
_INFO_KEY = "io.modelcontextprotocol/clientInfo"
_CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"
_SERVER_KEY = "io.modelcontextprotocol/serverInfo"
_INTERNAL = -32603
_LARGEST_ID = 2**53


class Answers:
    """The answers of one process: its name, its instructions and, where `tools` are known, its lists; not who asks."""

    def __init__(
        self,
        runtime: Mapping[str, Any],
        info: Mapping[str, str],
        instructions: str,
        tools: list[dict[str, Any]] | None,
        runbooks: Sequence[Mapping[str, Any]] = (),
        views: Mapping[str, str] = MappingProxyType({}),
        one_form: Collection[str] = (),
    ) -> None:
        self._runtime, self._info, self._instructions = runtime, info, instructions
        self._views = views
        self._one_form = one_form
        self._shows, self._client = False, ""  # of the one that has shaken hands
        self._hints = {"ttlMs": runtime["ttl_ms"], "cacheScope": "private"}
        self.has_lists = tools is not None
        self._lists: dict[str, dict[str, Any]] = {"tools/list": {"tools": tools}} if self.has_lists else {}
        self._capabilities: dict[str, Any] = {"tools": {}}
        self._extensions: dict[str, Any] = {}
        if runbooks:
            self._capabilities |= {"prompts": {}, "resources": {}}
            self._extensions = {"extensions": runtime["extensions"]}
        if runbooks and self.has_lists:
            self._lists["prompts/list"] = {"prompts": [each["prompt"] for each in runbooks]}
            self._lists["resources/list"] = {"resources": [each["resource"] for each in runbooks]}
            self._lists["resources/templates/list"] = {"resourceTemplates": []}

    def of(self, message: Mapping[str, Any], era: str) -> dict[str, Any] | None:
        """The result for a request, in an era of `""` (nothing was asked yet), `handshake` or `modern`."""
        method, params = message["method"], message.get("params")
        if params is not None and not isinstance(params, dict):
            return None
        params = params or {}
        if method == "initialize":
            return self._initialize(params) if era == "" else None
        if VERSION_KEY in _meta(params):
            if era == "handshake" or not self._is_modern(params):
                return None
            shows = apps.are_announced(_meta(params).get(_CAPABILITIES_KEY))
            client = _meta(params).get(_INFO_KEY, {}).get("name", "")
            return self._discover(shows) if method == "server/discover" else self._list_modern(method, shows, client)
        if era == "handshake" and _is_plain(params):
            return {} if method == "ping" else self._list(method, self._shows, self._client)
        return None

    def _initialize(self, params: Mapping[str, Any]) -> dict[str, Any] | None:
        if params.keys() != {"protocolVersion", "capabilities", "clientInfo"} or not _are_capabilities(
            params["capabilities"]
        ):
            return None
        wanted = params["protocolVersion"]
        if not isinstance(wanted, str) or not _is_info(params["clientInfo"]):
            return None
        self._shows, self._client = apps.are_announced(params["capabilities"]), params["clientInfo"]["name"]
        return {
            "protocolVersion": wanted if wanted in self._runtime["handshakes"] else self._runtime["handshakes"][-1],
            "capabilities": self._declared("initialize", self._shows),
            "serverInfo": self._info,
            "instructions": self._instructions,
        }

    def _discover(self, shows: bool) -> dict[str, Any]:
        return self._modern(
            {
                **self._hints,
                "supportedVersions": self._runtime["modern"],
                "capabilities": self._declared("server/discover", shows),
                "instructions": self._instructions,
            }
        )

    def _declared(self, method: str, shows: bool) -> dict[str, Any]:
        modern = self._extensions if method == "server/discover" else {}
        found = {**self._capabilities, **modern}
        return apps.capabilities(found, method) if shows else found

    def _list_modern(self, method: str, shows: bool, client: str) -> dict[str, Any] | None:
        found = self._list(method, shows, client)
        return None if found is None else self._modern({**self._hints, **found})

    def _list(self, method: str, shows: bool, client: str) -> dict[str, Any] | None:
        found = self._lists.get(method)
        if shows and method == "resources/list" and self.has_lists:
            return None  # views are among them, which the engine has
        if found is None or method != "tools/list":
            return found
        tools, views = found["tools"], self._views
        if client in self._one_form:
            tools = [without_schema(tool) for tool in tools]
        if shows:
            tools = [apps.linked(tool, views[tool["name"]]) if tool["name"] in views else tool for tool in tools]
        return {"tools": tools}

    def _modern(self, result: dict[str, Any]) -> dict[str, Any]:
        return {**result, "resultType": "complete", "_meta": {_SERVER_KEY: self._info}}

    def _is_modern(self, params: Mapping[str, Any]) -> bool:
        meta = _meta(params)
        return (
            params.keys() == {"_meta"}
            and meta.keys() <= {VERSION_KEY, _INFO_KEY, _CAPABILITIES_KEY}
            and meta[VERSION_KEY] in self._runtime["modern"]
            and _are_capabilities(meta.get(_CAPABILITIES_KEY))
            and (_INFO_KEY not in meta or _is_info(meta[_INFO_KEY]))
        )


def without_schema(tool: Mapping[str, Any]) -> dict[str, Any]:
    """The tool without the schema of its answers, as it is listed where these come as text alone."""
    return {key: value for key, value in tool.items() if key != "outputSchema"}


def read(line: bytes) -> dict[str, Any] | None:
    """The message of a line where it is a request or a notification beyond doubt."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0" or not isinstance(message.get("method"), str):
        return None
    if not message.keys() <= {"jsonrpc", "id", "method", "params"} or not is_whole(message, line):
        return None
    return message if "id" not in message or _is_id(message["id"]) else None


def is_whole(message: Any, line: bytes) -> bool:
    """Whether no text in it has half a character, which JSON can hold and UTF-8 cannot: the engine refuses it."""
    try:
        if b"\\u" in line:
            json.dumps(message, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def answer(message: Mapping[str, Any], result: Mapping[str, Any]) -> bytes:
    body = {"jsonrpc": "2.0", "id": message["id"], "result": result}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def refused(message: Mapping[str, Any], why: str) -> bytes:
    """The answer where there is no engine: calls of tools get it as their result, where a model reads it."""
    if message["method"] != "tools/call":
        fault = {"jsonrpc": "2.0", "id": message["id"], "error": {"code": _INTERNAL, "message": why}}
        return json.dumps(fault, ensure_ascii=False).encode() + b"\n"
    body = {"code": "unavailable", "message": why, "hint": "correct the configuration and start the server again"}
    text = json.dumps(body, ensure_ascii=False)
    result = {"content": [{"type": "text", "text": text}], "isError": True, "_meta": {ERROR_META: body}}
    return answer(message, {**result, "resultType": "complete"} if VERSION_KEY in _meta(_params(message)) else result)


def _params(message: Mapping[str, Any]) -> Mapping[str, Any]:
    found = message.get("params")
    return found if isinstance(found, dict) else {}


def _is_id(value: Any) -> bool:
    if isinstance(value, bool):  # in Python true is an int
        return False
    return isinstance(value, str) or (isinstance(value, int) and abs(value) <= _LARGEST_ID)


def _meta(params: Mapping[str, Any]) -> Mapping[str, Any]:
    found = params.get("_meta")
    return found if isinstance(found, dict) else {}


def _is_plain(params: Mapping[str, Any]) -> bool:
    """Nothing but a token of progress, and no cursor."""
    meta = params.get("_meta", {})
    if not params.keys() <= {"_meta"} or not isinstance(meta, dict) or not meta.keys() <= {"progressToken"}:
        return False
    return "progressToken" not in meta or _is_id(meta["progressToken"])


def _is_info(value: Any) -> bool:
    if not isinstance(value, dict) or not value.keys() <= {"name", "version", "title", "description", "websiteUrl"}:
        return False
    return {"name", "version"} <= value.keys() and all(isinstance(text, str) for text in value.values())


def _are_capabilities(value: Any) -> bool:
    return isinstance(value, dict) and all(name in _CAPABILITIES and _CAPABILITIES[name](value[name]) for name in value)


def _fits(**parts: Callable[[Any], bool]) -> Callable[[Any], bool]:
    def fits(value: Any) -> bool:
        return isinstance(value, dict) and all(name in parts and parts[name](value[name]) for name in value)

    return fits


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _holds_objects(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(each, dict) for each in value.values())


_CAPABILITIES: dict[str, Callable[[Any], bool]] = {
    "experimental": _holds_objects,
    "extensions": _holds_objects,
    "sampling": _fits(context=_is_object, tools=_is_object),
    "elicitation": _fits(form=_is_object, url=_is_object),
    "roots": _fits(listChanged=lambda value: isinstance(value, bool)),
}
