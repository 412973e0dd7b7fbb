"""Ask a ready server for its tools, over MCP by HTTP. Nothing of it is ever called.

First in revision 2026-07-28, then by the older handshake. Bounds: 100 pages and 1,000 items of a kind, 4 MiB in all:
what several servers list must fit into the memory of a controller. Tools are all there or none: hashes and pins are
made of them. Of prompts and resources the first ones are taken, and nothing that is wrong with them costs the tools.
What a server says is untrusted: every field is checked before it is used, control characters are stripped, lone
surrogates replaced, lengths bounded.
"""

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from types import MappingProxyType
from typing import Any

import httpx2

from kmcp_controller.status.conditions import Listing
from kmcp_runtime.foreign.bodies import Meter, TooMuchError, read_messages
from kmcp_runtime.foreign.json_rpc import is_answer
from kmcp_runtime.foreign.scrubbing import clean, scrub
from kmcp_runtime.foreign.sending import JSON, as_bytes, as_json
from kmcp_runtime.worker import run_in_thread

MODERN, OLDER = "2026-07-28", "2025-11-25"
_CLIENT = "kmcp-controller"
_META = "io.modelcontextprotocol/"
_PAGES, _ITEMS = 100, 1000
LARGEST = 4 * 2**20
"""Bytes of all answers in one connection."""
_WORDS = 1024  # bytes that are read of a refusal
_WORDS_SECONDS = 2.0
_EXTRAS = ("prompts", "resources")
_WAY = "set spec.httpTransport.path, or spec.url of a RemoteMCPServer, to where the server answers"
_SHARE_OF_TOOLS = 0.8  # of the time: what is listed beyond tools has to end before the whole does
# What may be sent back in a header: visible ASCII.
_TOKEN = re.compile(r"[\x21-\x7e]{1,256}")


class DiscoveryError(Exception):
    """`reason` is that of the condition ToolsDiscovered; of AuthRequired, `status` is HTTP's and `words` its text."""

    def __init__(self, reason: str, message: str, status: int = 0, words: str = "") -> None:
        super().__init__(message)
        self.reason, self.status, self.words = reason, status, words


class RefusedError(Exception):
    """A JSON-RPC error, or an answer to one revision that the other may not give; `reason` if it is the last word."""

    def __init__(self, message: str, reason: str = "NotMCP") -> None:
        super().__init__(message)
        self.reason = reason


async def fetch_listing(
    url: str,
    headers: Mapping[str, str],
    timeout: float,
    verify: ssl.SSLContext | bool = True,
    at_least: float = 10.0,
    host: str = "",
) -> Listing:
    """Everything the server at `url` lists; DiscoveryError after `timeout` seconds, or `at_least` if that is more.

    `host`: its name and port, where `url` has an address instead.
    """
    deadline = max(timeout, at_least)
    try:
        async with asyncio.timeout(deadline), Connection(url, headers, verify, host) as connection:
            return await connection.read_listing(deadline)
    except TimeoutError as error:
        raise DiscoveryError("Unreachable", f"no complete answer within {deadline:.0f} s") from error
    except httpx2.TransportError as error:
        raise DiscoveryError("Unreachable", clean(f"{type(error).__name__}: {error}", 256)) from error
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise DiscoveryError("NotMCP", clean(f"the answer cannot be read: {error}", 256)) from error


class Connection:
    """To one server, until it is left; `client` is what the server is told of who asks."""

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        verify: ssl.SSLContext | bool = True,
        host: str = "",
        client: str = _CLIENT,
    ) -> None:
        self._url, self._version, self._session, self._id = url, MODERN, "", 0
        self._meter = Meter(LARGEST)
        self._client = {"name": client, "version": "1"}
        named = {"Host": host} if host else {}
        # Unpacked, a small answer could be as large as it likes between two looks at its size.
        ours = {"Accept": "application/json, text/event-stream", "Accept-Encoding": "identity", **JSON}
        self._headers = {**headers, **ours, **named}
        self._certified = {"sni_hostname": host.rpartition(":")[0]} if host else {}
        # No proxy of the environment: a server of the cluster is reached directly. No redirects: credentials stay here.
        self._http = httpx2.AsyncClient(
            verify=verify, trust_env=False, follow_redirects=False, timeout=httpx2.Timeout(None, connect=10)
        )

    async def __aenter__(self) -> "Connection":
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            if self._session:
                with contextlib.suppress(httpx2.TransportError):  # a server may not care for the end of a session
                    await self._http.delete(self._url, headers=self._head(""), extensions=self._certified)
        finally:
            await self._http.aclose()

    async def read_listing(self, deadline: float) -> Listing:
        """`deadline`: seconds that the caller waits. A part of them is each attempt's, and what is listed beyond tools
        must not use up the time of the tools."""
        last = asyncio.get_running_loop().time() + deadline * _SHARE_OF_TOOLS
        hello = await self.greet(deadline / 2)
        capabilities = _dict(hello.get("capabilities"))
        try:
            tools = [item async for item in self._items("tools")] if "tools" in capabilities else []
        except RefusedError as error:
            raise DiscoveryError("ListFailed", str(error)) from error
        info = _dict(hello.get("serverInfo")) or _dict(_dict(hello.get("_meta")).get(_META + "serverInfo"))
        info = {key: clean(info[key], 128) for key in ("name", "version") if isinstance(info.get(key), str)}
        found = Listing(self._version, info, tools, [], [])
        for kind, items in zip(_EXTRAS, (found.prompts, found.resources), strict=True):
            if kind in capabilities:
                found.missing.extend(await self._take_extras(kind, items, last))
        return found

    async def _take_extras(self, kind: str, items: list[dict[str, Any]], last: float) -> list[str]:
        """Adds what the server lists until `last` on the clock of the loop; why that is not all of it."""
        why = ""
        try:
            async with asyncio.timeout_at(last):
                async for item in self._items(kind):
                    items.append(item)
        except TimeoutError:
            why = "no answer in time"
        except (RefusedError, DiscoveryError, httpx2.HTTPError, httpx2.InvalidURL) as error:
            why = clean(str(error), 256)
        return [f"{kind}: the first {len(items)} alone are here ({why})"] if why else []

    async def greet(self, share: float) -> dict[str, Any]:
        """By the newest revision; by the handshake if that is refused or takes too long; then once more, unhurried."""
        slow = False
        try:
            async with asyncio.timeout(share):
                return await self._discover()
        except TimeoutError:
            slow = True
        except RefusedError:  # most servers of today know the handshake only
            pass
        try:
            return await self._initialize()
        except RefusedError as error:
            if not slow:
                raise DiscoveryError(error.reason, str(error)) from error
        try:
            return await self._discover()
        except RefusedError as error:
            raise DiscoveryError(error.reason, str(error)) from error

    async def _discover(self) -> dict[str, Any]:
        self._version, self._session = MODERN, ""
        hello = await self.ask("server/discover", {})
        supported = hello.get("supportedVersions")
        if not isinstance(supported, list) or MODERN not in supported:
            raise RefusedError(f"the answer to server/discover does not name {MODERN} in supportedVersions")
        return hello

    async def _initialize(self) -> dict[str, Any]:
        self._version = ""
        hello = await self.ask("initialize", {"protocolVersion": OLDER, "capabilities": {}, "clientInfo": self._client})
        version = hello.get("protocolVersion", OLDER)
        if not isinstance(version, str) or not _TOKEN.fullmatch(version):
            raise RefusedError("the answer to initialize has a protocolVersion that is not a revision")
        self._version = version[:32]
        await self.tell("notifications/initialized", {})
        return hello

    async def _items(self, kind: str) -> AsyncIterator[dict[str, Any]]:
        seen: set[str] = set()
        cursor, count = None, 0
        for _ in range(_PAGES):
            page = await self.ask(f"{kind}/list", {"cursor": cursor} if cursor else {})
            listed = page.get(kind)
            if not isinstance(listed, list):
                raise RefusedError(f"the answer to {kind}/list has no list of {kind}")
            for item in await run_in_thread(_scrubbed, listed[: _ITEMS - count + 1]):
                count += 1
                if count > _ITEMS:
                    raise DiscoveryError("TooLarge", f"more than {_ITEMS} {kind}")
                yield item
            cursor = page.get("nextCursor")
            if cursor is not None and not isinstance(cursor, str):
                raise RefusedError(f"nextCursor of {kind}/list is not a text")
            if not cursor:
                return
            if cursor in seen:  # a server that goes round in circles would be asked until the last page
                raise RefusedError(f"{kind}/list repeats its cursor")
            seen.add(cursor)
        raise DiscoveryError("TooLarge", f"more than {_PAGES} pages of {kind}")

    @property
    def version(self) -> str:
        """The revision that is spoken."""
        return self._version

    @property
    def last_id(self) -> int:
        """Of the request that was sent last."""
        return self._id

    async def tell(self, method: str, params: Mapping[str, Any]) -> None:
        """Send what is not answered."""
        body = {"jsonrpc": "2.0", "method": method, "params": params}
        async with self._http.stream(
            "POST", self._url, content=as_json(body), headers=self._head(method), extensions=self._certified
        ) as response:
            await _read_words(response)  # they say nothing, but a connection whose answer was read is used again

    def _head(self, method: str, more: Mapping[str, str] = MappingProxyType({})) -> list[tuple[bytes, bytes]]:
        head = dict(self._headers)
        if self._version:
            head["MCP-Protocol-Version"] = self._version
        if self._version == MODERN:  # which wants the method in a header too, for proxies that do not read bodies
            head["Mcp-Method"] = method
        if self._session:
            head["Mcp-Session-Id"] = self._session
        try:
            return as_bytes(head | dict(more))
        except UnicodeEncodeError:
            text = "a header of headersFrom has characters that a header cannot have; correct its name or its value"
            raise DiscoveryError("AuthRequired", text) from None

    async def ask(
        self,
        method: str,
        params: dict[str, Any],
        headers: Mapping[str, str] = MappingProxyType({}),
        heard: Callable[[dict[str, Any]], None] = lambda message: None,
    ) -> dict[str, Any]:
        """The result; `heard` gets what the server says before it. Errors: RefusedError, DiscoveryError."""
        self._id += 1
        if self._version == MODERN:
            envelope = {"protocolVersion": MODERN, "clientCapabilities": {}, "clientInfo": self._client}
            about = {_META + key: value for key, value in envelope.items()}
            params = params | {"_meta": {**params.get("_meta", {}), **about}}
        body = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": params}
        head = self._head(method, headers)
        async with self._http.stream(
            "POST", self._url, content=as_json(body), headers=head, extensions=self._certified
        ) as response:
            if response.status_code in (401, 403):
                text = f"HTTP {response.status_code}; name its credentials in headersFrom"
                raise DiscoveryError("AuthRequired", text, response.status_code, await _read_words(response))
            self._take_session(response.headers.get("mcp-session-id"))
            if response.is_redirect:
                raise _refusal(response)
            if response.headers.get("content-encoding", "identity") != "identity":
                raise DiscoveryError("NotMCP", "its answer is compressed, which was not asked for")
            async for message in self._messages(response):
                if is_answer(message, self._id):
                    return _result(message)
                heard(message)
        raise _refusal(response)

    async def _messages(self, response: httpx2.Response) -> AsyncIterator[dict[str, Any]]:
        try:
            async for message in read_messages(response, self._meter):
                yield message
        except TooMuchError as error:
            raise DiscoveryError("TooLarge", str(error)) from error

    def _take_session(self, given: str | None) -> None:
        if given is not None and not _TOKEN.fullmatch(given):
            raise DiscoveryError("NotMCP", "Mcp-Session-Id is not 1 to 256 visible ASCII characters")
        self._session = given or self._session


async def _read_words(response: httpx2.Response) -> str:
    """The beginning of a refusal's text: what comes of it at once and can be read, for the status says the rest."""
    found = b""
    with contextlib.suppress(httpx2.HTTPError, TimeoutError):
        async with asyncio.timeout(_WORDS_SECONDS):
            async for chunk in response.aiter_bytes():
                found += chunk
                if len(found) > _WORDS:
                    break
    return clean(found[:_WORDS].decode(errors="replace")).strip()


def _refusal(response: httpx2.Response) -> RefusedError:
    """An answer that is none of JSON-RPC, by its status: what it means and where to look."""
    code, at, known = response.status_code, response.request.url, response.headers
    if response.is_redirect:
        place = clean(known.get("location", ""), 256) or "nowhere"
        text = f"HTTP {code} to {place}, which is not followed: {_WAY}"
        return RefusedError(text)
    if code == 404:
        return RefusedError(f"HTTP 404: nothing answers at {at.path}; {_WAY}")
    if code == 421:
        host = clean(response.request.headers.get("host", ""), 256)
        return RefusedError(f"HTTP 421: the server refuses the Host {host}; add it to the hosts that it allows")
    if code == 429 or code >= 500:
        wait = clean(known.get("retry-after", ""), 64)
        text = f"HTTP {code} {response.reason_phrase}".strip()
        again = f"Retry-After: {wait}" if wait else "it is asked again later; the log of the server has the reason"
        return RefusedError(f"{text}; {again}", "Unreachable")
    return RefusedError(f"HTTP {code} without a JSON-RPC answer")


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _result(message: dict[str, Any]) -> dict[str, Any]:
    error = message.get("error")
    if error is not None:
        text = error.get("message", "") if isinstance(error, dict) else error
        raise RefusedError(f"the server answered: {clean(str(text), 256)}")
    result = message.get("result")
    if not isinstance(result, dict):
        raise RefusedError("the server answered without a result")
    return result


def _scrubbed(listed: list[Any]) -> list[dict[str, Any]]:
    return [scrub(item) if isinstance(item, dict) else {} for item in listed]
