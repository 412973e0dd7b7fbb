"""The HTTP door: what it refuses before a byte is sent, where it connects, and how much it takes."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import httpx2
import pytest

from kmcp_runtime import ToolFailure
from kmcp_runtime.web import Resolve, Timeouts, Web, is_public
from tests.misbehaving import tls

PUBLIC = "93.184.216.34"
HOSTS = ("example.com", "files.example.com:8443")


def resolving(*addresses: str) -> Resolve:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    return resolve


def web(handler: Callable[[httpx2.Request], httpx2.Response], *addresses: str) -> Web:
    return Web(transport=httpx2.MockTransport(handler), resolve=resolving(*(addresses or (PUBLIC,))))


def always(answer: httpx2.Response) -> Callable[[httpx2.Request], httpx2.Response]:
    return lambda request: answer


def never(request: httpx2.Request) -> httpx2.Response:
    raise AssertionError(f"a request was sent to {request.url}")


async def refused(door: Web, url: str, largest: int = 1000) -> ToolFailure:
    async with door:
        with pytest.raises(ToolFailure) as caught:
            await door.fetch_text(url, HOSTS, largest, setting="KMCP_MANIFEST_HOSTS")
    return caught.value


async def test_reads_a_text_from_the_checked_address() -> None:
    seen: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, text="kind: Pod")

    async with web(handler) as door:
        assert await door.fetch_text("https://Example.com/a?b=c#d", HOSTS, 1000) == "kind: Pod"
        assert await door.fetch_text("https://files.example.com:8443/x", HOSTS, 1000) == "kind: Pod"
    assert [str(request.url) for request in seen] == [f"https://{PUBLIC}/a?b=c", f"https://{PUBLIC}:8443/x"]
    assert [request.headers["host"] for request in seen] == ["example.com", "files.example.com:8443"]
    assert [request.extensions["sni_hostname"] for request in seen] == ["example.com", "files.example.com"]


@pytest.mark.parametrize(
    ("url", "code", "why"),
    [
        ("http://example.com/a", "denied", "only https"),
        ("file:///etc/passwd", "bad_argument", "no host"),
        ("example.com/a", "bad_argument", "no host"),
        ("https://", "bad_argument", "no host"),
        ("https://other.example.com/a", "denied", "not among"),
        ("https://example.com:8443/a", "denied", "not among"),
        ("https://user:s3cr3t@example.com/a", "denied", "credentials"),
        ("https://example.com@evil.test/a", "denied", "credentials"),
        ("https://example.com.evil.test/a", "denied", "not among"),
        ("https://[::1]/a", "denied", "not among"),
        ("https://exam ple.com/a", "denied", "not among"),
        ("https://example.com:port/a", "bad_argument", "url"),
    ],
)
async def test_refuses_before_it_resolves(url: str, code: str, why: str) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        raise AssertionError(f"{host} was resolved")

    failure = await refused(Web(transport=httpx2.MockTransport(never), resolve=resolve), url)
    assert failure.code == code
    assert why in failure.message
    assert "s3cr3t" not in str(failure.body())


PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "168.63.129.16",
    "192.0.0.192",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "not an address",
]


@pytest.mark.parametrize("address", PRIVATE)
async def test_refuses_what_is_not_public(address: str) -> None:
    assert not is_public(address)
    failure = await refused(web(never, PUBLIC, address), "https://example.com/a")
    assert failure.code == "denied"
    assert address in failure.message


@pytest.mark.parametrize("address", [PUBLIC, "2606:2800:220:1::1", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"])
def test_knows_what_is_public(address: str) -> None:
    assert is_public(address)


async def test_a_name_without_an_address_is_unavailable() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        raise OSError("Name or service not known")

    failure = await refused(Web(transport=httpx2.MockTransport(never), resolve=resolve), "https://example.com/a")
    assert failure.code == "unavailable"
    assert "Name or service not known" in failure.message
    assert (await refused(Web(resolve=resolving()), "https://example.com/a")).code == "unavailable"


async def test_follows_redirects_on_the_same_host_only() -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/a":
            return httpx2.Response(302, headers={"location": "/b"})
        return httpx2.Response(200, text="here")

    async with web(handler) as door:
        assert await door.fetch_text("https://example.com/a", HOSTS, 1000) == "here"
    for location, why in [
        ("https://files.example.com:8443/x", "another host"),
        ("https://evil.test/x", "another host"),
        ("//169.254.169.254/latest", "another host"),
        ("http://example.com/x", "only https"),
        ("https://example.com/again", "more than 3 times"),
    ]:
        answer = httpx2.Response(301, headers={"location": location})
        failure = await refused(web(always(answer)), "https://example.com/a")
        assert failure.code == "denied", location
        assert why in failure.message


async def test_each_redirect_is_resolved_and_checked_again() -> None:
    answers = iter([[PUBLIC], ["127.0.0.1"]])

    async def resolve(host: str, port: int) -> Sequence[str]:
        return next(answers)

    again = httpx2.MockTransport(lambda request: httpx2.Response(302, headers={"location": "/b"}))
    failure = await refused(Web(transport=again, resolve=resolve), "https://example.com/a")
    assert failure.code == "denied"
    assert "127.0.0.1" in failure.message


async def test_stops_reading_at_the_limit() -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1000
            yield b"x" * 1000

    failure = await refused(web(lambda request: httpx2.Response(200, content=endless())), "https://example.com/a", 5000)
    assert failure.code == "too_large"
    assert sent == 6000


async def test_errors_of_the_host_are_told() -> None:
    for status, code in [(404, "not_found"), (403, "unavailable"), (500, "unavailable")]:
        answer = httpx2.Response(status)
        failure = await refused(web(always(answer)), "https://example.com/a")
        assert failure.code == code
        assert str(status) in failure.message
    failure = await refused(web(lambda request: httpx2.Response(200, content=b"\xff\xfe")), "https://example.com/a")
    assert failure.code == "bad_argument"


async def test_tries_the_next_address_of_a_host() -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        if request.url.host == PUBLIC:
            raise httpx2.ConnectError("refused")
        return httpx2.Response(200, text="second")

    async with web(handler, PUBLIC, "1.1.1.1") as door:
        assert await door.fetch_text("https://example.com/a", HOSTS, 1000) == "second"
    failure = await refused(web(handler, PUBLIC), "https://example.com/a")
    assert failure.code == "unavailable"
    assert "refused" in failure.message


async def test_a_slow_answer_is_given_up() -> None:
    async def handler(request: httpx2.Request) -> httpx2.Response:
        await asyncio.Event().wait()
        raise AssertionError

    door = Web(Timeouts(whole=0.05), transport=httpx2.MockTransport(handler), resolve=resolving(PUBLIC))
    assert (await refused(door, "https://example.com/a")).code == "timed_out"


class Rerouted(httpx2.AsyncHTTPTransport):
    """A real transport that takes connections for the public address to a port of this machine."""

    def __init__(self, port: int, trust: ssl.SSLContext) -> None:
        super().__init__(verify=trust)
        self.port = port

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        assert request.url.host == PUBLIC
        request.url = request.url.copy_with(host="127.0.0.1", port=self.port)
        return await super().handle_async_request(request)


async def test_the_certificate_must_be_of_the_name_although_the_address_is_pinned(tmp_path: Path) -> None:
    trust, own = tls(tmp_path, "example.com")
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nreal")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=own) as server:
        port = server.sockets[0].getsockname()[1]
        async with Web(transport=Rerouted(port, trust), resolve=resolving(PUBLIC)) as door:
            assert await door.fetch_text("https://example.com/a", HOSTS, 1000) == "real"
            with pytest.raises(ToolFailure) as caught:
                await door.fetch_text("https://other.test/a", ("other.test",), 1000)
    assert b"Host: example.com\r\n" in asked[0]
    assert len(asked) == 1
    assert caught.value.code == "unavailable"
    assert "certificate" in caught.value.message.lower()
