"""HTTP servers on loopback that answer exactly the bytes they are told to, and certificates for them."""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

Serve = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]
"""Answers one request, given its head, whatever way it likes; the connection ends afterwards."""


@asynccontextmanager
async def serving(serve: Serve, own: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """The base URL of a server that treats every request so."""
    open_now: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(answer(reader, writer))
        open_now.add(task)
        task.add_done_callback(open_now.discard)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(await _read_head(reader), writer)
            writer.close()
            await writer.wait_closed()
        except (ConnectionError, ssl.SSLError):
            pass  # The client has gone, which is what many of these tests are about.
        finally:
            # Abort, not close: what a client has not read yet must not hold the test up.
            writer.transport.abort()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=own)
    try:
        yield f"http{'s' if own else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in list(open_now):
            task.cancel()
        await asyncio.gather(*open_now, return_exceptions=True)


async def _read_head(reader: asyncio.StreamReader) -> bytes:
    """The head of a request, or whatever else was sent first (the hello of TLS)."""
    head = await reader.read(1 << 16)
    # The hello of TLS starts with byte 22, so it is no head and ends the loop.
    while head[:1].isalpha() and b"\r\n\r\n" not in head:
        more = await reader.read(1 << 16)
        if not more:
            break
        head += more
    return head


def answering(status: int, body: bytes = b"", *headers: str, length: int | None = None) -> Serve:
    """One answer for every request; `length` is what it claims when that is not the truth."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body) if length is None else length}", *headers]

    async def serve(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode() + body)

    return serve


async def never(head: bytes, writer: asyncio.StreamWriter) -> None:
    """Take the request and say nothing, until the server ends."""
    await asyncio.Event().wait()


def nobody() -> str:
    """The URL of a port where nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def tls(directory: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A client context that trusts, and a server context that has, a certificate of this name.

    `<name>.pem` in the directory is key and certificate together, what a CA file or a client certificate may be.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([_general(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    bundle = directory / f"{name}.pem"
    bundle.write_bytes(private + pem)
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(bundle)
    return ssl.create_default_context(cadata=pem.decode()), own


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
