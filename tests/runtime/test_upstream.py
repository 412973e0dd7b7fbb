"""An API of the configuration: what is sent to it, and what each way of failing answers."""

import asyncio
import gzip
import json
import ssl
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from kmcp_runtime import ToolFailure, conflict
from kmcp_runtime.upstream import Access, Refused, SetIn, Upstream
from tests.misbehaving import answering, never, nobody, serving, tls

SET_IN = SetIn(url="THE_URL", credentials="THE_TOKEN", tls="THE_CA_FILE", timeout="THE_TIMEOUT")


def access(url: str = "http://api.test/prefix/", **fields: Any) -> Access:
    return Access(url=url, set_in=SET_IN, **fields)


async def asked(given: Access, path: str = "/v1/x", **request: Any) -> httpx2.Request:
    """The request as it arrives."""
    seen: list[httpx2.Request] = []

    def handler(sent: httpx2.Request) -> httpx2.Response:
        seen.append(sent)
        return httpx2.Response(200, json={"ok": True})

    upstream = Upstream("api", given, transport=httpx2.MockTransport(handler))
    assert await upstream.read("GET", path, **request) == {"ok": True}
    await upstream.close()
    return seen[0]


async def failure(given: Access, path: str = "/v1/x", **request: Any) -> ToolFailure:
    upstream = Upstream("api", given)
    try:
        with pytest.raises(ToolFailure) as caught:
            await upstream.read("GET", path, **request)
    finally:
        await upstream.close()
    assert caught.value.backend == "api"
    return caught.value


async def test_the_prefix_is_kept_and_the_path_sent_as_it_is_written() -> None:
    assert str((await asked(access())).url) == "http://api.test/prefix/v1/x"
    assert str((await asked(access("http://api.test"))).url) == "http://api.test/v1/x"
    encoded = await asked(access(), "/label/U__a_2F_b%2Fc/values", params=[("match[]", "a"), ("match[]", "b")])
    assert encoded.url.raw_path == b"/prefix/label/U__a_2F_b%2Fc/values?match%5B%5D=a&match%5B%5D=b"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (access(), None),
        (access(token=SecretStr("t0ken")), "Bearer t0ken"),
        (access(username="u", password=SecretStr("p:w")), "Basic dTpwOnc="),
        (access("http://u:p%3Aw@api.test"), "Basic dTpwOnc="),
        (access("http://u:p@api.test", token=SecretStr("t0ken")), "Bearer t0ken"),
    ],
)
async def test_credentials_go_into_the_header_alone(given: Access, expected: str | None) -> None:
    request = await asked(given)
    assert request.headers.get("authorization") == expected
    assert request.url.userinfo == b""
    assert "@" not in Upstream("api", given).address


async def test_a_token_file_is_read_for_each_request(tmp_path: Path) -> None:
    file = tmp_path / "token"
    given = access(token_file=str(file))
    for token in ("first", "second"):
        file.write_text(f"{token}\n")
        assert (await asked(given)).headers["authorization"] == f"Bearer {token}"
    file.unlink()
    upstream = Upstream("api", given)
    with pytest.raises(ToolFailure, match="cannot be read: No such file") as caught:
        await upstream.send("GET", "/")
    assert caught.value.hint == "check THE_TOKEN"


async def test_further_headers_are_sent() -> None:
    request = await asked(access(headers={"X-Scope-OrgID": "team-a"}), headers={"X-One": "1"})
    assert (request.headers["x-scope-orgid"], request.headers["x-one"]) == ("team-a", "1")


@pytest.mark.parametrize("url", ["", "  ", "prometheus:9090", "ftp://x", "http://", "http://host:port", "/path"])
async def test_an_address_that_is_none_says_where_to_set_it(url: str) -> None:
    upstream = Upstream("api", access(url))
    with pytest.raises(ToolFailure) as caught:
        await upstream.send("GET", "/")
    assert caught.value.code == "unavailable"
    assert "THE_URL" in str(caught.value.body())


async def test_nobody_listens() -> None:
    url = nobody()
    found = await failure(access(url))
    assert found.code == "unavailable"
    assert f"cannot reach {url}/v1/x: connection refused" in found.message
    assert "THE_URL" in (found.hint or "")


async def test_a_host_that_does_not_exist() -> None:
    found = await failure(access("http://nowhere.invalid:9"))
    assert found.code == "unavailable"
    assert "the host name is unknown" in found.message
    assert "THE_URL" in (found.hint or "")


async def test_slow() -> None:
    async with serving(never) as url:
        found = await failure(access(url, seconds=0.2))
    assert found.code == "timed_out"
    assert "THE_TIMEOUT" in (found.hint or "")


ANSWERS = [
    (401, b'{"message": "bad token t0ken-planted"}', "forbidden", "bad token ***", "THE_TOKEN"),
    (403, b"no rights", "forbidden", "HTTP 403: no rights", "THE_TOKEN"),
    (404, b"404 page not found\n", "not_found", "404 page not found", "THE_URL"),
    (409, b'{"error": "version mismatch"}', "conflict", "version mismatch", ""),
    (413, b"", "too_large", "HTTP 413", ""),
    (418, b'{"other": 1}', "bad_argument", '{"other": 1}', ""),
    (429, b"", "unavailable", "HTTP 429", "try again in 7 s"),
    (500, b'{"error": "boom"}', "unavailable", "HTTP 500: boom", "try again"),
    (503, b"<html><title> Down for\n repair </title>", "unavailable", "a web page titled 'Down for repair'", "again"),
    (504, b"", "timed_out", "HTTP 504", "THE_TIMEOUT"),
]


@pytest.mark.parametrize(("status", "body", "code", "message", "hint"), ANSWERS)
async def test_an_error_answer(status: int, body: bytes, code: str, message: str, hint: str) -> None:
    async with serving(answering(status, body, "Retry-After: 7")) as url:
        found = await failure(access(url, token=SecretStr("t0ken-planted")), params={"query": "a"})
    assert isinstance(found, Refused)
    assert (found.status, found.code) == (status, code)
    assert message in found.message
    assert f"{url}/v1/x answered HTTP {status}" in found.message
    assert hint in (found.hint or "")


async def test_a_server_tells_its_own_errors() -> None:
    def explain(found: Refused) -> ToolFailure:
        return conflict(f"{found.answer.text} t0ken-planted") if found.status == 400 else found

    for status, code in [(400, "conflict"), (404, "not_found")]:
        async with serving(answering(status, b"mine")) as url:
            upstream = Upstream("api", access(url, token=SecretStr("t0ken-planted")), explain)
            with pytest.raises(ToolFailure) as caught:
                await upstream.send("GET", "/")
            await upstream.close()
        assert caught.value.code == code
        assert "mine" in caught.value.message
        assert "t0ken-planted" not in caught.value.message


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_refused(status: int) -> None:
    async with serving(answering(status, b"", "Location: https://u:s3cret@sso.test/login?code=s3cret#s3cret")) as url:
        found = await failure(access(url))
    assert found.code == "unavailable"
    assert "a redirect to https://sso.test/login, which is not followed" in found.message
    assert "THE_URL" in (found.hint or "")
    assert "s3cret" not in str(found.body())


async def test_a_web_page_instead_of_the_api() -> None:
    page = b"<!doctype html><html><head><title>Sign in</title>"
    async with serving(answering(200, page, "Content-Type: text/html")) as url:
        found = await failure(access(url))
    assert found.code == "unavailable"
    assert "HTTP 200 with a web page titled 'Sign in', not the API" in found.message
    assert "THE_URL" in (found.hint or "")
    assert "THE_TOKEN" in (found.hint or "")


@pytest.mark.parametrize(
    "serve",
    [
        answering(200, b'{"a": [1, 2', length=100),
        answering(200, b'{"a": [1, 2'),
        answering(200, b'{"a": "b'),
        answering(200, b""),
        answering(200, gzip.compress(b'{"a": 1, "b": "' + bytes(range(32, 127)) * 9)[:-30], "Content-Encoding: gzip"),
    ],
)
async def test_half_an_answer(serve: Any) -> None:
    async with serving(serve) as url:
        found = await failure(access(url))
    assert found.code == "unavailable"
    assert f"{url}/v1/x answered only half" in found.message
    assert "proxy" in (found.hint or "")


async def test_no_json_at_all() -> None:
    async with serving(answering(200, b"OK, all fine")) as url:
        found = await failure(access(url))
    assert "answered no JSON: 'OK, all fine'" in found.message


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
async def test_an_answer_that_is_too_large_is_not_read_to_its_end(encoding: str) -> None:
    written = 0
    part = gzip.compress(bytes(1 << 24)) if encoding == "gzip" else bytes(1 << 20)

    async def serve(head: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(f"HTTP/1.1 200 X\r\nContent-Encoding: {encoding}\r\nConnection: close\r\n\r\n".encode())
        for _ in range(10_000):
            writer.write(part)
            await writer.drain()
            written += 1

    async with serving(serve) as url:
        found = await failure(access(url), largest_bytes=2_000_000)
    assert found.code == "too_large"
    assert "larger than 1 MiB" in found.message
    assert written < 10_000


async def test_a_certificate_of_nobody_we_trust(tmp_path: Path) -> None:
    _, own = tls(tmp_path, "127.0.0.1")
    async with serving(answering(200, b'"fine"'), own) as url:
        found = await failure(access(url))
        assert found.code == "unavailable"
        assert "its certificate is not trusted: self-signed certificate" in found.message
        assert "THE_CA_FILE" in (found.hint or "")
        for given in (access(url, ca_file=str(tmp_path / "127.0.0.1.pem")), access(url, insecure=True)):
            upstream = Upstream("api", given)
            assert await upstream.read("GET", "/") == "fine"
            await upstream.close()


async def test_the_certificate_must_be_of_the_host(tmp_path: Path) -> None:
    _, own = tls(tmp_path, "other.test")
    async with serving(answering(200, b"1"), own) as url:
        found = await failure(access(url, ca_file=str(tmp_path / "other.test.pem")))
    assert "not valid for '127.0.0.1'" in found.message


async def test_a_client_certificate_is_shown(tmp_path: Path) -> None:
    _, own = tls(tmp_path, "127.0.0.1")
    tls(tmp_path, "client.test")
    own.verify_mode = ssl.CERT_REQUIRED
    own.load_verify_locations(tmp_path / "client.test.pem")
    async with serving(answering(200, b'"known"'), own) as url:
        trusting = {"ca_file": str(tmp_path / "127.0.0.1.pem")}
        upstream = Upstream("api", access(url, **trusting, cert_file=str(tmp_path / "client.test.pem")))
        assert await upstream.read("GET", "/") == "known"
        await upstream.close()
        assert (await failure(access(url, **trusting))).code == "unavailable"


@pytest.mark.parametrize("field", ["ca_file", "cert_file"])
@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, field: str, content: str | None) -> None:
    file = tmp_path / "x.pem"
    if content:
        file.write_text(content)
    upstream = Upstream("api", access("https://127.0.0.1:1", **{field: str(file)}))
    with pytest.raises(ToolFailure) as caught:
        await upstream.send("GET", "/")
    assert caught.value.code == "unavailable"
    assert str(file) in caught.value.message
    assert "THE_CA_FILE" in (caught.value.hint or "")


async def test_tls_to_a_port_without_it() -> None:
    async with serving(answering(200, b"1")) as url:
        found = await failure(access(url.replace("http:", "https:")))
    assert found.code == "unavailable"
    assert "no TLS connection" in found.message
    assert "scheme" in (found.hint or "")


def test_what_is_not_to_be_shown_is_not_in_a_printed_access() -> None:
    given = access(token=SecretStr("planted-token"), password=SecretStr("planted-pass"))
    assert "planted" not in json.dumps(str(given))
