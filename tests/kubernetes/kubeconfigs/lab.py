"""API servers and proxies on loopback that record who came to them, with which name, identity and way."""

import asyncio
import base64
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cluster.certificates import Authority

VERSION = {"major": "1", "minor": "36", "gitVersion": "v1.36.3"}
HOSTS = ("127.0.0.1", "0.0.0.0", "localhost", "cluster.test", "::1")
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Lab:
    """The addresses of the servers, and what they saw since `forget`."""

    directory: Path
    words: dict[str, str] = field(default_factory=dict)
    """What stands for what in a case: `<tls>` for the URL of the server with TLS, and so on."""
    seen: list[dict[str, Any]] = field(default_factory=list)
    through: list[str] = field(default_factory=list)

    def forget(self) -> None:
        self.seen.clear()
        self.through.clear()

    def outcome(self) -> dict[str, Any] | None:
        """Who came last, and through which proxies; None when nobody came."""
        return {**self.seen[-1], "through": sorted(set(self.through))} if self.seen else None

    def filled(self, node: Any) -> Any:
        """Data with the words of this laboratory in it."""
        if isinstance(node, str):
            for word, value in self.words.items():
                node = node.replace(f"<{word}>", value)
            return node
        if isinstance(node, dict):
            return {key: self.filled(value) for key, value in node.items()}
        return [self.filled(item) for item in node] if isinstance(node, list) else node


@asynccontextmanager
async def laboratory(directory: Path) -> AsyncIterator[Lab]:
    authority = Authority(directory)
    authority.issue("server", "server", hosts=HOSTS)
    authority.issue("inner", "inner", hosts=["inner.test"])
    authority.issue("client", "dev", ["people"])
    authority.issue("other", "ops")
    lab = Lab(directory)
    async with AsyncExitStack() as stack:
        for name, handler, certificate in (
            ("tls", _api(lab, "tls"), "server"),
            ("inner", _api(lab, "inner"), "inner"),
            ("plain", _api(lab, "plain"), None),
            ("proxy", _http_proxy(lab, "http"), None),
            ("secure-proxy", _http_proxy(lab, "https"), "server"),
            ("socks", _socks(lab), None),
        ):
            port = await stack.enter_async_context(_listening(handler, directory, certificate))
            lab.words[f"{name}-port"] = str(port)
        _fill_words(lab)
        yield lab


def _fill_words(lab: Lab) -> None:
    words = lab.words
    for name in ("tls", "inner"):
        words[name] = f"https://127.0.0.1:{words[f'{name}-port']}"
    words["plain"] = f"http://127.0.0.1:{words['plain-port']}"
    words["named"] = f"https://cluster.test:{words['tls-port']}"
    words["any"] = f"https://0.0.0.0:{words['tls-port']}"
    words["proxy"] = f"http://127.0.0.1:{words['proxy-port']}"
    words["secure-proxy"] = f"https://127.0.0.1:{words['secure-proxy-port']}"
    words["socks"] = f"socks5://127.0.0.1:{words['socks-port']}"
    for word, file in (
        ("ca64", "ca.crt"),
        ("cert64", "client.crt"),
        ("key64", "client.key"),
        ("other64", "other.key"),
        ("othercert64", "other.crt"),
    ):
        words[word] = base64.b64encode((lab.directory / file).read_bytes()).decode()
    for word, file in (("cert", "client.crt"), ("key", "client.key")):
        words[f"{word}-json"] = json.dumps((lab.directory / file).read_text())


@asynccontextmanager
async def _listening(handler: Handler, directory: Path, certificate: str | None) -> AsyncIterator[int]:
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(directory / f"{certificate}.crt", directory / f"{certificate}.key")
        context.load_verify_locations(directory / "ca.crt")
        context.verify_mode = ssl.CERT_OPTIONAL
        context.sni_callback = lambda connection, name, _: setattr(connection, "asked_for", name)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            await handler(reader, writer)
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            writer.close()

    server = await asyncio.start_server(handle, "0.0.0.0", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def _head(reader: asyncio.StreamReader) -> tuple[str, list[tuple[str, str]]]:
    """The first line and the headers, as they are written."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    return first, [(name.title(), value.strip()) for name, _, value in (line.partition(":") for line in lines if line)]


def _api(lab: Lab, name: str) -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        certificate = writer.get_extra_info("peercert") or {}
        subject = {key: value for entry in certificate.get("subject", ()) for key, value in entry}
        while True:
            first, headers = await _head(reader)
            target = first.split(" ")[1]
            lab.seen.append(
                {
                    "server": name,
                    # Through a proxy without TLS the whole URL stands here.
                    "path": "/" + target.split("/", 3)[3] if target.startswith("http") else target,
                    "sni": getattr(writer.get_extra_info("ssl_object"), "asked_for", None),
                    "client": subject.get("commonName"),
                    "authorization": dict(headers).get("Authorization"),
                    "acting": sorted(pair for pair in headers if pair[0].startswith("Impersonate-")),
                }
            )
            body = json.dumps(VERSION).encode()
            answer = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(answer.encode() + body)
            await writer.drain()

    return handle


def _http_proxy(lab: Lab, name: str) -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, headers = await _head(reader)
        method, target, _ = first.split(" ")
        sent = dict(headers).get("Proxy-Authorization", "")
        user = base64.b64decode(sent.removeprefix("Basic ")).decode() if sent else ""
        lab.through.append(f"{name} {user}".strip())
        port = int(target.split("/")[2].rpartition(":")[2] if target.startswith("http") else target.rpartition(":")[2])
        upstream = await asyncio.open_connection("127.0.0.1", port)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            lines = [first, *(f"{key}: {value}" for key, value in headers if not key.startswith("Proxy-"))]
            upstream[1].write("\r\n".join([*lines, "", ""]).encode())
        await _joined((reader, writer), upstream)

    return handle


def _socks(lab: Lab) -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        writer.write(bytes([5, 2 if 2 in methods else 0]))
        user = ""
        if 2 in methods:
            await reader.readexactly(1)
            name = await reader.readexactly((await reader.readexactly(1))[0])
            password = await reader.readexactly((await reader.readexactly(1))[0])
            user = f"{name.decode()}:{password.decode()}"
            writer.write(b"\x01\x00")
        kind = (await reader.readexactly(4))[3]
        host = await reader.readexactly((await reader.readexactly(1))[0] if kind == 3 else 4)
        port = int.from_bytes(await reader.readexactly(2), "big")
        shown = host.decode() if kind == 3 else ".".join(map(str, host))
        lab.through.append(f"socks5 {user} {shown}".replace("  ", " "))
        upstream = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
        await _joined((reader, writer), upstream)

    return handle


Side = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _joined(one: Side, other: Side) -> None:
    """Pass bytes both ways until one side ends."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        with contextlib.suppress(ConnectionError, ssl.SSLError, RuntimeError):
            writer.close()

    await asyncio.gather(pump(one[0], other[1]), pump(other[0], one[1]))
