"""What a client's address asks for beside the path: `/mcp?servers=kubernetes,helm&read-only&tools=all`.

`servers` and `read-only` limit what may be called; `tools` only chooses what is listed: `all`, `few`, or names.
`output-schemas` chooses the form of answers.
"""

import difflib
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from fastmcp.server.dependencies import get_http_request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from kmcp_runtime.errors import suggesting
from kmcp_runtime.settings import listed

if TYPE_CHECKING:
    from kmcp_runtime.engine.configured import ConfiguredServer

_SWITCHES = ("read-only", "output-schemas")
_WORDS = ("tools", "servers", *_SWITCHES)
_YES, _NO = ("", "true", "1", "yes"), ("false", "0", "no")
WHOLE, SHORT = "all", "few"
_BY_LETTERS = {word.replace("-", ""): word for word in _WORDS}
_CLOSE = 0.84  # as difflib counts: `server` and `read_only` are, `session` and `toolset` are not
_MOST_FIELDS = 64


@dataclass(frozen=True)
class Address:
    """None stands for what the address does not say."""

    listing: str | None = None
    tools: frozenset[str] | None = None
    servers: frozenset[str] | None = None
    read_only: bool = False
    output_schemas: bool | None = None


NOTHING = Address()


def current() -> Address:
    """Of the request that is answered; over stdio there is none."""
    try:
        # Not by its URL, which would be put together and taken apart again for each call.
        query = get_http_request().scope.get("query_string", b"").decode("latin-1")
    except RuntimeError:
        return NOTHING
    return parsed(query) if query else NOTHING


def parsed(query: str) -> Address:
    given = dict(parse_qsl(query, keep_blank_values=True))
    tools = given.get("tools", "")
    servers = given.get("servers")
    return Address(
        listing=tools if tools in (WHOLE, SHORT) else None,
        tools=None if tools in ("", WHOLE, SHORT) else frozenset(listed(tools)),
        servers=None if servers is None else frozenset(listed(servers)),
        read_only=given.get("read-only", "no").lower() in _YES,
        output_schemas=given["output-schemas"].lower() in _YES if "output-schemas" in given else None,
    )


class Addressed:
    """An ASGI application that refuses an address with a fault, which would silently list less, or allow more."""

    def __init__(self, app: ASGIApp, instances: Iterable["ConfiguredServer"]) -> None:
        self._app, self._instances = app, instances

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = scope.get("query_string", b"").decode("latin-1")
        if scope["type"] == "http" and query and (fault := await self._fault(query)):
            await PlainTextResponse(f"{fault}\n", 400)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _fault(self, query: str) -> str:
        try:
            pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
        except ValueError:
            return f"the address has more than {_MOST_FIELDS} words after its ?"
        names, given = [name for name, _ in pairs], dict(pairs)
        if misspelt := next(filter(None, map(_misspelt, names)), ""):
            return misspelt
        # Other words are passed over: gateways and clients add their own.
        if twice := next((name for name in _WORDS if names.count(name) > 1), ""):
            return f"the address has {twice} more than once; separate several values by commas"
        for word in _SWITCHES:
            if given.get(word, "").lower() not in (*_YES, *_NO):
                return f"{word} in the address is true or false"
        found = parsed(query)
        servers = [instance.name for instance in self._instances]
        if found.tools is None:
            return _unknown("server", found.servers, servers)
        instances = list(self._instances)
        for instance in instances:
            await instance.load()
        tools = [name for instance in instances for name in instance.tools]
        return _unknown("server", found.servers, servers) or _unknown("tool", found.tools, tools)


def _misspelt(name: str) -> str:
    """Why a word is refused that means one of ours: passed over, `?readonly` would allow everything."""
    if name in _WORDS:
        return ""
    close = difflib.get_close_matches(re.sub("[^a-z]", "", name.lower())[:64], _BY_LETTERS, 1, _CLOSE)
    return f"the address has {name[:64]!r}, which limits nothing: write {_BY_LETTERS[close[0]]}" if close else ""


def _unknown(what: str, named: frozenset[str] | None, known: Collection[str]) -> str:
    wrong: Sequence[str] = sorted((named or frozenset()) - set(known))
    return (
        suggesting(f"the address names no {what} of this process: {wrong[0][:64]!r}", wrong[0], known) if wrong else ""
    )
