"""Requests that are turned away: each is told with its reason, a flood of them as a number, and never a token."""

import time
from pathlib import Path
from typing import Any, get_args

import httpx2
import pytest
from fastmcp import Client
from joserfc.jwk import RSAKey
from starlette.responses import PlainTextResponse

from kmcp_runtime import RuntimeSettings
from kmcp_runtime.audit.record import Entry, Refused
from kmcp_runtime.audit.refusals import ABOUT, KINDS, LINES, Reason, Refusals
from kmcp_runtime.engine import auth
from kmcp_runtime.engine.assembly import http_app
from kmcp_runtime.engine.configured import Process
from kmcp_runtime.kube.api import KubeApi
from tests.audit.making import records
from tests.cluster.model import Cluster
from tests.mcp import ToolCaller
from tests.rights import create_token, forged
from tests.runtime.conftest import shelved
from tests.runtime.test_auth import AUDIENCE, HEADERS, ISSUER, LIST, guarded, issuing, jwt_settings, post, signed
from tests.runtime.test_token_review import StandIn, standing, token
from tests.runtime.test_token_review import guarded as reviewed
from tests.serving import served

__all__ = ["standing"]


def refused(capsys: pytest.CaptureFixture[str], *secrets: str) -> list[tuple[str, int | None]]:
    """Reason and status of what was told since the last time; no secret is in it."""
    err = capsys.readouterr().err
    for secret in secrets:
        assert secret not in err
    return [(line["reason"], line.get("status")) for line in records(err) if line["event"] == "refused"]


async def test_X5_V10_each_refused_request_is_told_with_its_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("open-sesame-1 alice\n")
    instance = shelved(auth_tokens_file=str(tokens), allowed_hosts="shelf.example")
    app = http_app("shelf", [instance], auth.provider(instance.runtime))
    right = {"Authorization": "Bearer open-sesame-1"}
    cases: list[tuple[dict[str, str], str, int]] = [
        ({}, "no_token", 401),
        ({"Authorization": "Basic b3BlbjpzZXNhbWU="}, "no_token", 401),
        ({"Authorization": "Bearer guessed-secret"}, "unknown_token", 401),
        (right | {"Host": "evil.example"}, "host", 421),
        (right | {"Origin": "http://evil.example"}, "origin", 403),
        (right | {"Content-Type": "text/plain"}, "malformed", 415),
    ]
    async with instance.opened(), served(app) as url, httpx2.AsyncClient() as client:
        for headers, reason, status in cases:
            answer = await client.post(f"{url}/mcp?guessed-secret", json=LIST, headers=HEADERS | headers)
            assert (answer.status_code, reason) == (status, reason)
            assert refused(capsys, "guessed-secret", "b3BlbjpzZXNhbWU", "sesame") == [(reason, status)]
        assert (await client.post(f"{url}/mcp", json=LIST, headers=HEADERS | right)).status_code == 200
    assert refused(capsys) == []
    exposed = instance.metrics.exposition().decode()
    for reason, count in {"no_token": 2, "unknown_token": 1, "host": 1, "origin": 1, "malformed": 1}.items():
        assert f'kmcp_requests_refused_total{{reason="{reason}"}} {count}.0' in exposed


async def test_the_reason_of_a_refused_web_token_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    keys = RSAKey.generate_key(2048)
    now = int(time.time())
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "carol", "exp": now + 600}
    cases: dict[str, Any] = {
        "expired": good | {"exp": now - 60},
        "wrong_audience": good | {"aud": ["others"]},
        "wrong_issuer": good | {"iss": "https://other.example"},
        "bad_claims": good | {"scope": 7},
    }
    async with issuing(keys) as jwks, guarded(**jwt_settings(jwks)) as url:
        for reason, claims in cases.items():
            sent = signed(keys, "RS256", claims)
            assert (await post(url, sent)).status_code == 401
            assert refused(capsys, sent, sent.split(".")[1]) == [(reason, 401)]
        assert (await post(url, signed(RSAKey.generate_key(2048), "RS256", good))).status_code == 401
        assert refused(capsys) == [("bad_signature", 401)]


async def test_V10_a_pod_without_a_token_and_with_its_own_is_told(
    standing: tuple[StandIn, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = {
        "no_token": None,
        "wrong_audience": token(aud=["https://kubernetes.default.svc"]),
        "expired": token(exp=1),
        "malformed_token": "x" * 20_000,
        "not_confirmed": token().removesuffix("s") + "forged",
    }
    async with reviewed(standing[1], monkeypatch) as url:
        for reason, sent in cases.items():
            assert (await post(url, sent)).status_code == 401
            assert refused(capsys, *([sent] if sent else [])) == [(reason, 401)]
        standing[0].instead = PlainTextResponse("down", 500)
        assert (await post(url, token(user="system:serviceaccount:a:b"))).status_code == 401
        assert refused(capsys) == [("not_reviewed", 401)]


@pytest.mark.cluster
async def test_V10_tokens_of_real_pods_for_others_are_told(
    cluster: Cluster,
    api: KubeApi,
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    await api.send("POST", accounts, (), {"metadata": {"name": "agent"}})

    ours, plain = await create_token(api, namespace, "agent", "kmcp"), await create_token(api, namespace, "agent")
    async with reviewed(cluster.kubeconfig, monkeypatch) as url:
        for sent, reason in ((None, "no_token"), (plain, "wrong_audience"), (forged(ours), "not_confirmed")):
            assert (await post(url, sent)).status_code == 401
            assert refused(capsys) == [(reason, 401)]
        assert (await post(url, ours)).status_code == 200


async def test_a_call_that_is_denied_has_its_line_and_a_flood_of_them_a_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("t-read rita read\n")
    async with guarded(auth_tokens_file=str(tokens)) as url, Client(f"{url}/mcp", auth="t-read") as client:
        for _ in range(LINES + 4):
            assert (await ToolCaller(client).fails("shelf_put", name="a", text="b"))["code"] == "denied"
        await ToolCaller(client).ok("shelf_list")
    lines = [line for line in records(capsys.readouterr().err) if line["event"] == "call"]
    assert [(line["outcome"], line["decision"]) for line in lines] == [("denied", "deny")] * LINES + [("ok", "allow")]


def test_floods_are_told_as_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    process = Process.of(RuntimeSettings())
    due: list[Any] = []
    found = Refusals(process.refusals.trail, lambda seconds, function: due.append(function))
    for number in range(10_000):
        found.request(Refused(reason="unknown_token", status=401, peer=f"10.0.{number % 200}.1"))
    found.call(Entry(caller="eve", tool="shelf_put", outcome="denied"))
    assert len(due) == 1
    due[0]()
    lines = records(capsys.readouterr().err)
    assert len(lines) <= (KINDS + 2) * (LINES + 1)
    told = sum(line.get("more", 1) for line in lines if line["event"] == "refused")
    assert told == 10_000
    assert sum(len(str(line)) for line in lines) < 50_000
    # The next window begins with lines again.
    found.request(Refused(reason="unknown_token", status=401, peer="10.0.0.1"))
    assert len(due) == 2
    assert len(records(capsys.readouterr().err)) == 1


def test_each_reason_has_a_meaning() -> None:
    assert set(ABOUT) == set(get_args(Reason))
