"""A kept conversation with a foreign server over streamable HTTP, in the newest revision that it speaks.

Each request has an answer of its own, so what the server asks or reports on that answer belongs to that request, and
whatever is wrong with one answer harms no other. No redirect is followed and no proxy of the environment is used:
credentials stay here. Where a session has ended, or the server was started anew, the next request shakes hands again.
"""

import asyncio
import contextlib
import itertools
import re
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import httpx2
from mcp.shared.inbound import encode_header_value, mcp_param_headers

from kmcp_runtime.errors import ToolFailure, too_large, unavailable
from kmcp_runtime.foreign.attending import NO_METHOD, Attending
from kmcp_runtime.foreign.bodies import Meter, TooMuchError, read_messages
from kmcp_runtime.foreign.json_rpc import RefusedError, is_answer, object_of, result_of
from kmcp_runtime.foreign.scrubbing import clean
from kmcp_runtime.foreign.sending import JSON, as_bytes, as_json
from kmcp_runtime.foreign.servers_file import ForeignEntry
from kmcp_runtime.tracing import backend_requests
from kmcp_runtime.tracing.backend_requests import Exchange, Target

MODERN, OLDER = "2026-07-28", "2025-11-25"
LARGEST_ANSWER = 16 << 20
"""Bytes of one answer, with all that is reported on the way to it; of one event, where a stream has no end."""
GREETING_SECONDS = 15.0
_META = "io.modelcontextprotocol/"
_ABOUT = {"name": "kmcp-suite", "version": "1"}
_CAN: dict[str, Any] = {"elicitation": {}}
_MOST_COOKIES = 20
_TOKEN = re.compile(r"[\x21-\x7e]{1,256}")
_CHANGED = "notifications/tools/list_changed"

Mirrored = Mapping[tuple[str, ...], str]
"""Arguments of a tool, by their paths, that a header `Mcp-Param-<name>` repeats."""


class _LostError(Exception):
    """The server does not know the session, or was not reached at all: the request has not been looked at."""


@dataclass
class _Agreed:
    """What the greeting has settled."""

    version: str
    session: str = ""
    capabilities: Mapping[str, Any] = field(default_factory=dict)


class Conversation:
    """`forwarded` are the headers of a caller that go along; `on_change` hears that the list of tools has changed."""

    def __init__(
        self,
        entry: ForeignEntry,
        forwarded: Mapping[str, str] | None = None,
        on_change: Callable[[], None] = lambda: None,
        most: int = LARGEST_ANSWER,
    ) -> None:
        self.entry, self.most = entry, most
        self._forwarded, self._on_change = dict(forwarded or {}), on_change
        self._place = urlsplit(entry.url)
        self._target = Target(entry.name, self._place.path or "/")
        self._ids = itertools.count(1)
        self._agreed: _Agreed | None = None
        self._greeting = asyncio.Lock()
        self._http: httpx2.AsyncClient | None = None
        self._last_words: set[asyncio.Task[None]] = set()
        self._holders = 0
        self._free = asyncio.Event()
        self._free.set()

    @property
    def says_changes(self) -> bool:
        """Whether the server promises to tell when its list changes."""
        tools = (self._agreed.capabilities if self._agreed else {}).get("tools")
        return isinstance(tools, dict) and tools.get("listChanged") is True

    @contextlib.contextmanager
    def held(self) -> Iterator["Conversation"]:
        """For a call under way: whoever waits until it is free does not close it meanwhile."""
        self._holders += 1
        self._free.clear()
        try:
            yield self
        finally:
            self._holders -= 1
            if not self._holders:
                self._free.set()

    @property
    def is_free(self) -> bool:
        """Whether no call is under way."""
        return self._free.is_set()

    async def free(self) -> None:
        """Wait until no call is under way."""
        await self._free.wait()

    async def request(
        self, method: str, params: Mapping[str, Any], attending: Attending, mirrored: Mirrored = MappingProxyType({})
    ) -> dict[str, Any]:
        """The result. Errors: `RefusedError`; a `ToolFailure` that names the server."""
        for last in (False, True):
            agreed = await self._greet()
            try:
                return await self._ask(agreed, method, params, attending, mirrored)
            except _LostError as error:
                self._forget(agreed)
                if last:
                    raise self._unreachable(str(error)) from None
        raise AssertionError("a loop of two rounds ends in the second")

    def _forget(self, agreed: _Agreed) -> None:
        """Greet anew before the next request, unless somebody has done so meanwhile."""
        if self._agreed is agreed:
            self._agreed = None

    async def close(self) -> None:
        """Say goodbye, and let the connections go."""
        for task in self._last_words:
            task.cancel()
        await asyncio.gather(*self._last_words, return_exceptions=True)
        http, agreed, self._http, self._agreed = self._http, self._agreed, None, None
        if http is None:
            return
        try:
            if agreed and agreed.session:
                # A server may be gone, or not care for the end of a session.
                with contextlib.suppress(httpx2.HTTPError, TimeoutError, ToolFailure):
                    async with asyncio.timeout(1):
                        await http.delete(self.entry.url, headers=as_bytes(self._head(agreed, "")))
        finally:
            await http.aclose()

    async def listen(self) -> None:
        """Hear of changes until the server ends the stream, or has none. Errors: as `request`."""
        agreed = await self._greet()
        try:
            await self._listen(agreed)
        except _LostError as error:
            raise self._unreachable(str(error)) from None

    async def _listen(self, agreed: _Agreed) -> None:
        if agreed.version == MODERN:
            wanted = {"notifications": {"toolsListChanged": True}}
            await self._ask(agreed, "subscriptions/listen", wanted, Attending(), endless=True)
            return
        head = self._head(agreed, "") | {"Accept": "text/event-stream"}
        async with self._answering("GET", None, head, agreed) as response:
            if response.status_code == 200:
                async for message in read_messages(response, Meter(self.most, each=True)):
                    await self._take_notice(message, Attending(), agreed)

    async def _greet(self) -> _Agreed:
        """What was agreed before, or is now: by the newest revision, and by the handshake where that is refused."""
        async with self._greeting:
            if self._agreed is None:
                try:
                    async with asyncio.timeout(GREETING_SECONDS):
                        self._agreed = await self._agree()
                except TimeoutError:
                    raise self._unreachable(f"no handshake within {GREETING_SECONDS:.0f} s") from None
                except _LostError as error:
                    raise self._unreachable(str(error)) from None
                except RefusedError as error:
                    raise self._unreachable(f"it refuses the handshake: {error.message}") from None
            return self._agreed

    async def _agree(self) -> _Agreed:
        agreed = _Agreed(MODERN)
        # Most servers of today know the handshake only, and some never answer what they do not know.
        with contextlib.suppress(RefusedError, ToolFailure, TimeoutError):
            async with asyncio.timeout(GREETING_SECONDS / 3):
                hello = await self._ask(agreed, "server/discover", {}, Attending())
            supported = hello.get("supportedVersions")
            if isinstance(supported, list) and MODERN in supported:
                return _Agreed(MODERN, capabilities=object_of(hello.get("capabilities")))
        agreed = _Agreed("")
        wanted = {"protocolVersion": OLDER, "capabilities": _CAN, "clientInfo": _ABOUT}
        hello = await self._ask(agreed, "initialize", wanted, Attending())
        version = hello.get("protocolVersion", OLDER)
        if not isinstance(version, str) or not _TOKEN.fullmatch(version):
            raise RefusedError(NO_METHOD, "its protocolVersion is not a revision")
        agreed.version, agreed.capabilities = version[:32], object_of(hello.get("capabilities"))
        await self._tell(agreed, {"jsonrpc": "2.0", "method": "notifications/initialized"})
        return agreed

    async def _ask(
        self,
        agreed: _Agreed,
        method: str,
        params: Mapping[str, Any],
        attending: Attending,
        mirrored: Mirrored = MappingProxyType({}),
        endless: bool = False,
    ) -> dict[str, Any]:
        number, meter = next(self._ids), Meter(self.most, each=endless)
        meta: dict[str, Any] = dict(params.get("_meta") or {})
        if attending.progress is not None:
            meta["progressToken"] = number
        if agreed.version == MODERN:
            envelope = {"protocolVersion": MODERN, "clientCapabilities": _CAN, "clientInfo": _ABOUT}
            meta |= {_META + key: value for key, value in envelope.items()}
        sent = {**params, **({"_meta": meta} if meta else {})}
        body = {"jsonrpc": "2.0", "id": number, "method": method, "params": sent}
        head = self._head(agreed, method) | _routing(agreed, params, mirrored)
        try:
            with backend_requests.request(self._target, "POST", self._place.hostname, self._place.port) as exchange:
                return await self._answer_to(body, head, agreed, attending, meter, exchange)
        except asyncio.CancelledError:
            if agreed.version not in ("", MODERN):  # in the newest revision a closed stream says it
                word = {"method": "notifications/cancelled", "params": {"requestId": number}}
                self._say_last(agreed, {"jsonrpc": "2.0", **word})
            raise

    async def _answer_to(
        self,
        body: dict[str, Any],
        head: Mapping[str, str],
        agreed: _Agreed,
        attending: Attending,
        meter: Meter,
        exchange: Exchange,
    ) -> dict[str, Any]:
        async with self._answering("POST", body, {**head, **exchange.headers}, agreed) as response:
            exchange.answered(response.status_code)
            self._check(response, agreed)
            async for message in read_messages(response, meter):
                if is_answer(message, body["id"]):
                    return result_of(message)
                await self._take_notice(message, attending, agreed)
            raise self._unanswered(response, str(body["method"]))

    @contextlib.asynccontextmanager
    async def _answering(
        self, verb: str, body: Any, head: Mapping[str, str], agreed: _Agreed
    ) -> AsyncIterator[httpx2.Response]:
        """The answer as it arrives. Errors: `_LostError`, and a `ToolFailure` for all that a network does."""
        name = self.entry.name
        content, kind = (None, {}) if body is None else (as_json(body), JSON)
        try:
            async with self._client().stream(
                verb, self._url, content=content, headers=as_bytes({**head, **kind})
            ) as response:
                yield response
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            raise _LostError(f"no connection ({clean(str(error), 200) or type(error).__name__})") from None
        except TooMuchError as error:
            hint = "ask it for less"
            raise too_large(f"the foreign server {name} answered with {error}", hint, backend=name) from None
        except httpx2.TransportError as error:
            self._forget(agreed)
            raise self._unreachable(f"the connection broke off ({type(error).__name__})") from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise self._unreachable(f"its answer cannot be read ({clean(str(error), 200)})") from None

    @cached_property
    def _url(self) -> httpx2.URL:
        """Taken apart once. Errors: `httpx2.InvalidURL`."""
        return httpx2.URL(self.entry.url)

    def _client(self) -> httpx2.AsyncClient:
        if self._http is None:
            self._http = httpx2.AsyncClient(
                verify=self._trusting(),
                trust_env=False,
                follow_redirects=False,
                timeout=httpx2.Timeout(None, connect=5, pool=5),
                limits=httpx2.Limits(max_connections=128, max_keepalive_connections=16, keepalive_expiry=30),
            )
        return self._http

    def _trusting(self) -> ssl.SSLContext | bool:
        if not self.entry.ca_file:
            return True
        try:
            return ssl.create_default_context(cafile=self.entry.ca_file)
        except OSError as error:  # An SSLError is one, too.
            why = f"{self.entry.ca_file} cannot be used: {error.strerror or error}"
            raise unavailable(
                f"the foreign server {self.entry.name}: {why}", "caFile is a PEM file", backend=self.entry.name
            ) from None

    def _head(self, agreed: _Agreed, method: str) -> dict[str, str]:
        head = {**self.entry.sent_headers(), **self._forwarded}
        # Unpacked, a small answer could be as large as it likes between two looks at its size.
        head |= {"Accept": "application/json, text/event-stream", "Accept-Encoding": "identity"}
        if agreed.version:
            head["MCP-Protocol-Version"] = agreed.version
        if agreed.version == MODERN and method:
            head["Mcp-Method"] = method
        if agreed.session:
            head["Mcp-Session-Id"] = agreed.session
        return head

    def _check(self, response: httpx2.Response, agreed: _Agreed) -> None:
        """What the head of an answer settles. Errors: `_LostError`, or a `ToolFailure`."""
        code, name = response.status_code, self.entry.name
        if code == 404 and agreed.session:
            raise _LostError("its session has ended")
        if code in (400, 404):
            # It may have been started anew, or be another one by now: what was agreed means nothing to it then.
            self._forget(agreed)
        if code in (401, 403):
            hint = "check the headers of the server in KMCP_DOOR_SERVERS"
            raise unavailable(f"the foreign server {name} refuses the credentials (HTTP {code})", hint, backend=name)
        if response.is_redirect:
            place = clean(response.headers.get("location", ""), 200) or "nowhere"
            raise self._unreachable(f"it redirects to {place}, which is not followed")
        if response.headers.get("content-encoding", "identity") != "identity":
            raise self._unreachable("its answer is compressed, which was not asked for")
        if "set-cookie" in response.headers and len(self._client().cookies.jar) > _MOST_COOKIES:
            self._client().cookies.clear()  # each request would have them all, and a gateway needs one
        given = response.headers.get("mcp-session-id")
        if given is not None and agreed.version != MODERN:
            if not _TOKEN.fullmatch(given):
                raise self._unreachable("its Mcp-Session-Id is not 1 to 256 visible ASCII characters")
            agreed.session = given

    async def _take_notice(self, message: Mapping[str, Any], attending: Attending, agreed: _Agreed) -> None:
        """Whatever comes before the answer; what belongs to nobody is passed over."""
        method, params = message.get("method"), object_of(message.get("params"))
        if not isinstance(method, str):
            return
        number = message.get("id")
        if isinstance(number, str | int) and not isinstance(number, bool):
            await self._reply(agreed, {"jsonrpc": "2.0", "id": number, **await attending.answer(method, params)})
        elif method == "notifications/progress" and attending.progress is not None:
            await attending.progress(params)
        elif method == _CHANGED:
            self._on_change()

    async def _reply(self, agreed: _Agreed, message: Mapping[str, Any]) -> None:
        """Answer what the server asks on the way to its own answer. Errors: a `ToolFailure`.

        Not `_LostError`: the request on the way was looked at, and sent once more it would be carried out twice.
        """
        try:
            async with asyncio.timeout(GREETING_SECONDS):
                await self._tell(agreed, message)
        except (_LostError, TimeoutError) as error:
            self._forget(agreed)
            why = str(error) or "no response"
            raise self._unreachable(f"it does not take the answer to what it asks ({why})") from None

    async def _tell(self, agreed: _Agreed, message: Mapping[str, Any]) -> None:
        head = self._head(agreed, str(message.get("method", "")))
        async with self._answering("POST", message, head, agreed) as response:
            self._check(response, agreed)

    def _say_last(self, agreed: _Agreed, message: Mapping[str, Any]) -> None:
        """Without waiting for it: whoever would wait is gone."""
        task = asyncio.create_task(self._say(agreed, message))
        self._last_words.add(task)
        task.add_done_callback(self._last_words.discard)

    async def _say(self, agreed: _Agreed, message: Mapping[str, Any]) -> None:
        with contextlib.suppress(_LostError, ToolFailure, TimeoutError):
            async with asyncio.timeout(2):
                await self._tell(agreed, message)

    def _unanswered(self, response: httpx2.Response, method: str) -> ToolFailure:
        code = response.status_code
        if code != 200:
            return self._unreachable(f"HTTP {code} without an answer to {method}")
        return self._unreachable(f"its response to {method} has no answer to this request")

    def _unreachable(self, why: str) -> ToolFailure:
        hint = "call again later, or use another tool; the door connects again by itself"
        return unavailable(f"the foreign server {self.entry.name}: {why}", hint, backend=self.entry.name)


def _routing(agreed: _Agreed, params: Mapping[str, Any], mirrored: Mirrored) -> dict[str, str]:
    """Headers that repeat parts of a call, for proxies that do not read bodies."""
    name = params.get("name")
    if agreed.version != MODERN or not isinstance(name, str):
        return {}
    given = object_of(params.get("arguments"))
    return {"Mcp-Name": encode_header_value(name), **mcp_param_headers(mirrored, given)}
