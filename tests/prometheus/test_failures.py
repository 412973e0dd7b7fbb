"""A Prometheus that does not answer as it should: what a caller is told, and what to set."""

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.misbehaving import Serve, answering, never, nobody, serving, tls
from tests.prometheus.conftest import connect

QUERY = "prometheus_query_tool"
JSON = "Content-Type: application/json"


def refusing(kind: str, error: str) -> bytes:
    return json.dumps({"status": "error", "errorType": kind, "error": error}).encode()


async def read_failure(url: str, query: str = "up", **settings: Any) -> dict[str, Any]:
    async with connect(prometheus_url=url, **settings) as caller:
        error = await caller.fails(QUERY, query=query)
    assert error["backend"] == "prometheus"
    return error


async def read_failure_of(serve: Serve, query: str = "up", **settings: Any) -> dict[str, Any]:
    async with serving(serve) as url:
        return await read_failure(url, query, **settings)


async def test_backend_down() -> None:
    url = nobody()
    error = await read_failure(url)
    assert error["code"] == "unavailable"
    assert f"cannot reach {url}/api/v1/query: connection refused" in error["message"]
    assert "PROMETHEUS_URL" in error["hint"]


async def test_host_unknown() -> None:
    error = await read_failure("http://prometheus.invalid:9090")
    assert error["code"] == "unavailable"
    assert "the host name is unknown" in error["message"]
    assert "PROMETHEUS_URL" in error["hint"]


async def test_slow(prometheus: str) -> None:
    async with serving(never) as url:
        error = await read_failure(url, prometheus_timeout=0.1)
    assert error["code"] == "timed_out"
    assert "PROMETHEUS_TIMEOUT" in error["hint"]


async def test_a_query_that_takes_too_long_is_given_up_by_the_backend(prometheus: str) -> None:
    async with connect(prometheus_url=prometheus) as caller:
        error = await caller.fails(QUERY, query="sum_over_time(vector(1)[1d:500ms])", timeout="1ms")
    assert error["code"] == "timed_out"
    assert "recording rule" in error["hint"]


@pytest.mark.parametrize(
    ("status", "code", "hint"),
    [
        (401, "forbidden", "set or renew PROMETHEUS_TOKEN"),
        (403, "forbidden", "lacks the right"),
        (404, "unavailable", "path prefix"),
        (429, "unavailable", "is limiting requests"),
        (500, "unavailable", "try again"),
        (502, "unavailable", "try again"),
        (504, "timed_out", "PROMETHEUS_TIMEOUT"),
    ],
)
@pytest.mark.parametrize(
    "body", [b"words of the proxy", b"<html><head><title>words of the proxy</title></head></html>"]
)
async def test_a_status_of_something_in_between(status: int, code: str, hint: str, body: bytes) -> None:
    async with serving(answering(status, body)) as url:
        error = await read_failure(url.replace("://", "://user:planted-pass@"))
        assert error["code"] == code
        assert f"{url}/api/v1/query answered HTTP {status}" in error["message"]
    assert "words of the proxy" in error["message"]
    assert hint in error["hint"]
    assert "planted-pass" not in str(error)


async def test_a_tenant_is_missing() -> None:
    error = await read_failure_of(answering(401, b"no org id\n"))
    assert error["code"] == "forbidden"
    assert "PROMETHEUS_TENANT" in error["hint"]


async def test_422_with_a_position_gets_a_caret() -> None:
    body = refusing("bad_data", 'invalid parameter "query": 1:5: parse error: unexpected <by>')
    error = await read_failure_of(answering(422, body, JSON), "sum by by (job) (up)")
    assert error["code"] == "bad_argument"
    assert error["message"].split("\n")[1:] == ["sum by by (job) (up)", "    ^"]


@pytest.mark.parametrize(
    ("status", "kind", "error", "code", "hint"),
    [
        (422, "execution", "query processing would load too many samples into memory", "too_large", "shorter range"),
        (422, "execution", "expanding series: context deadline exceeded", "timed_out", "recording rule"),
        (503, "timeout", "query timed out in query execution", "timed_out", "shorter range"),
        (422, "execution", "unavailable with Prometheus Agent", "unavailable", "an agent stores nothing"),
        (422, "execution", "matching must be explicit (group_left/group_right)", "bad_argument", "group_left()"),
        (400, "bad_data", "exceeded maximum resolution of 11,000 points per timeseries", "bad_argument", "step"),
        (499, "canceled", "query was canceled", "unavailable", ""),
        (500, "internal", "open block: input/output error", "unavailable", "try again"),
        (400, "bad_data", "something new", "bad_argument", ""),
    ],
)
async def test_prometheus_own_words_arrive(status: int, kind: str, error: str, code: str, hint: str) -> None:
    found = await read_failure_of(answering(status, refusing(kind, error), JSON))
    assert found["code"] == code
    assert error in found["message"]
    assert hint in (found.get("hint") or "")


@pytest.mark.parametrize(("stopping", "told"), [("false", "is not ready yet"), ("true", "is stopping")])
async def test_prometheus_that_is_not_ready(stopping: str, told: str) -> None:
    found = await read_failure_of(answering(503, b"Service Unavailable", f"X-Prometheus-Stopping: {stopping}"))
    assert found["code"] == "unavailable"
    assert told in found["message"]


async def test_a_redirect_is_refused_and_its_target_shown_without_secrets() -> None:
    location = "Location: https://u:planted-pass@sso.example/login?token=planted-token"
    error = await read_failure_of(answering(302, b"", location), prometheus_token="planted-bearer")
    assert error["code"] == "unavailable"
    assert "a redirect to https://sso.example/login, which is not followed" in error["message"]
    assert "PROMETHEUS_URL" in error["hint"]
    assert "planted" not in str(error)


async def test_a_certificate_that_is_not_trusted(tmp_path: Path) -> None:
    _, own = tls(tmp_path, "127.0.0.1")
    body = b'{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}'
    async with serving(answering(200, body, JSON), own) as url:
        error = await read_failure(url)
        assert error["code"] == "unavailable"
        assert "its certificate is not trusted: self-signed certificate" in error["message"]
        assert "PROMETHEUS_CA_FILE" in error["hint"]
        async with connect(prometheus_url=url, prometheus_ca_file=str(tmp_path / "127.0.0.1.pem")) as caller:
            assert (await caller.ok(QUERY, query="1"))["items"][0]["value"] == 1


@pytest.mark.parametrize(
    "serve",
    [
        answering(200, b'{"status":"success","data":{"resultType":"vec', JSON, length=5000),
        answering(200, b'{"status":"success","data":{"resultType":"vec', JSON),
        answering(200, b"", JSON),
    ],
)
async def test_half_an_answer(serve: Serve) -> None:
    error = await read_failure_of(serve)
    assert error["code"] == "unavailable"
    assert "answered only half" in error["message"]
    assert "proxy" in error["hint"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"status":"success"}',
        b'{"data":[]}',
        b"[1]",
        b'{"status":"success","data":{"resultType":"vector","result":[{}]}}',
    ],
)
async def test_json_of_something_else(body: bytes) -> None:
    error = await read_failure_of(answering(200, body, JSON))
    assert error["code"] == "unavailable"
    assert "PROMETHEUS_URL" in error["hint"]


async def test_a_login_page_that_says_all_is_well() -> None:
    page = b"<!DOCTYPE html><html><title>Sign in</title></html>"
    error = await read_failure_of(answering(200, page, "Content-Type: text/html"))
    assert error["code"] == "unavailable"
    assert "a web page titled 'Sign in', not the API" in error["message"]


async def test_a_gzip_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(1 << 24))
    sent = 0

    async def serve(head: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        assert b"accept-encoding: gzip" in head.lower()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n")
        for _ in range(100_000):
            writer.write(bomb)
            await writer.drain()
            sent += 1

    error = await read_failure_of(serve)
    assert error["code"] == "too_large"
    assert "larger than 8 MiB" in error["message"]
    assert "topk(" in error["hint"]
    assert sent < 100_000


async def test_credentials_reach_the_backend_and_no_answer() -> None:
    heads: list[bytes] = []

    async def serve(head: bytes, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        told = b"refused: planted-bearer"
        writer.write(b"HTTP/1.1 401 No\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(told), told))

    error = await read_failure_of(serve, prometheus_token="planted-bearer", prometheus_tenant="team-a")
    assert b"Authorization: Bearer planted-bearer" in heads[0]
    assert b"X-Scope-OrgID: team-a" in heads[0]
    assert "planted-bearer" not in str(error)


async def test_basic_credentials_and_a_path_prefix() -> None:
    heads: list[bytes] = []

    async def serve(head: bytes, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        await answering(500, b"")(head, writer)

    async with serving(serve) as url:
        await read_failure(f"{url}/mimir/prometheus/api/v1/", prometheus_username="u", prometheus_password="p")
    assert heads[0].startswith(b"POST /mimir/prometheus/api/v1/query HTTP/1.1")
    assert b"Authorization: Basic dTpw" in heads[0]


async def test_L14_a_header_of_a_data_source_is_hidden_where_an_error_repeats_it(tmp_path: Path) -> None:
    secrets = {"X-Acme": "Zq7planted-header-9Xw", "X-Api-Key": "Zq7planted-key-9Xw"}
    body = refusing("bad_data", f"request had X-Acme={secrets['X-Acme']} and {secrets['X-Api-Key']} in it")
    async with serving(answering(400, body, JSON)) as url:
        file = tmp_path / "datasources.yaml"
        file.write_text(json.dumps([{"name": "a", "url": url, "headers": {**secrets, "X-Scope-OrgID": "team-42a"}}]))
        async with connect(prometheus_datasources_file=str(file)) as caller:
            error = await caller.fails(QUERY, query="up")
    assert "request had X-Acme=" in error["message"]
    assert not [value for value in secrets.values() if value in json.dumps(error)]
