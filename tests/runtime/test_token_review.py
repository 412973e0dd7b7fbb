"""Callers whom the API server of the cluster confirms, over real HTTP: with real tokens, and with a stand-in."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from kmcp_runtime import RuntimeSettings, SettingsError
from kmcp_runtime.engine import auth
from kmcp_runtime.engine.assembly import http_app
from kmcp_runtime.engine.subjects import Subjects
from kmcp_runtime.kube import config
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.token_review import ClusterTokens
from tests.cluster.model import Cluster
from tests.kubernetes.making import kubeconfig
from tests.mcp import ToolCaller
from tests.rights import create_token, forged
from tests.runtime.conftest import shelved
from tests.runtime.test_auth import post
from tests.serving import served
from tests.waiting import until

POD = "system:serviceaccount:team-a:agent"


def token(user: str = POD, **claims: Any) -> str:
    """What looks like a token of a pod; the stand-in confirms it by its signature alone."""
    said = {"sub": user, "aud": ["kmcp"], "exp": time.time() + 600} | claims
    parts = [{"alg": "RS256"}, {name: value for name, value in said.items() if value is not None}]
    return ".".join(
        [*(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts), "s"]
    )


class StandIn:
    """An API server that confirms tokens by the word after the second dot."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.at_once = self.most_at_once = 0
        self.instead: Response | None = None
        self.audiences: Any = ["kmcp"]

    async def answer(self, request: Request) -> Response:
        body = await request.json()
        assert body["spec"]["audiences"] == ["kmcp"]
        given = body["spec"]["token"]
        self.asked.append(given)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        if self.instead:
            return self.instead
        if not given.endswith(".s"):
            return JSONResponse({"status": {"authenticated": False, "error": "invalid bearer token"}}, 201)
        claims = json.loads(base64.urlsafe_b64decode(given.split(".")[1] + "=="))
        groups = ["system:serviceaccounts", "system:serviceaccounts:" + claims["sub"].split(":")[2]]
        user = {"username": claims["sub"], "groups": groups, "uid": "1"}
        status = {"authenticated": True, "user": user, "audiences": self.audiences}
        return JSONResponse({"kind": "TokenReview", "status": status}, 201)


@pytest.fixture
async def standing(tmp_path: Path) -> AsyncIterator[tuple[StandIn, Path]]:
    stand_in = StandIn()
    routes = [Route("/apis/authentication.k8s.io/v1/tokenreviews", stand_in.answer, methods=["POST"])]
    async with served(Starlette(routes=routes)) as url:
        yield stand_in, kubeconfig(url, tmp_path)


@asynccontextmanager
async def guarded(path: Path, monkeypatch: pytest.MonkeyPatch, **given: Any) -> AsyncIterator[str]:
    monkeypatch.setenv("KUBECONFIG", str(path))
    instance = shelved(token_review=True, **given)
    async with instance.opened(), served(http_app("shelf", [instance], auth.provider(instance.runtime))) as url:
        yield url


async def test_a_confirmed_caller_reads_and_is_named_in_the_audit(
    standing: tuple[StandIn, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with guarded(standing[1], monkeypatch) as url, Client(f"{url}/mcp", auth=token()) as client:
        caller = ToolCaller(client)
        await caller.ok("shelf_list")
        refused = await caller.fails("shelf_put", name="a", text="b")
    assert refused["code"] == "denied"
    err = capsys.readouterr().err
    assert f'"caller":"{POD}"' in err
    assert token()[:40] not in err


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        "opaque",
        token().removesuffix("s") + "forged",
        token(aud=["api"]),
        token(aud="kmcp-other"),
        token(aud=None),
        token(exp=1),
        token(exp=None),
        token(exp="tomorrow"),
        token() + "x" * 20_000,
    ],
)
async def test_nobody_else_gets_in(
    standing: tuple[StandIn, Path], monkeypatch: pytest.MonkeyPatch, wrong: str | None
) -> None:
    async with guarded(standing[1], monkeypatch) as url:
        answer = await post(url, wrong)
    assert answer.status_code == 401
    assert "shelf_" not in answer.text


async def test_a_token_that_says_itself_that_it_is_not_for_us_is_not_sent_on(
    standing: tuple[StandIn, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token for somebody else is a secret of somebody else."""
    async with guarded(standing[1], monkeypatch) as url:
        for wrong in (token(aud=["api"]), token(exp=1), "x" * 20_000):
            assert (await post(url, wrong)).status_code == 401
    assert standing[0].asked == []


@pytest.mark.parametrize("audiences", [None, [], ["https://kubernetes.default.svc"], "for kmcp", {"kmcp": 1}, 7])
async def test_an_api_server_that_does_not_confirm_the_audience_confirms_nothing(
    standing: tuple[StandIn, Path], monkeypatch: pytest.MonkeyPatch, audiences: Any
) -> None:
    standing[0].audiences = audiences
    async with guarded(standing[1], monkeypatch) as url:
        assert (await post(url, token())).status_code == 401


@pytest.mark.parametrize(
    ("instead", "told"),
    [
        (JSONResponse({"kind": "Status", "reason": "Forbidden", "message": "no", "code": 403}, 403), "tokenreviews"),
        (PlainTextResponse("<html>"), "not JSON"),
        (
            JSONResponse({"status": {"authenticated": "true", "user": {"username": POD}, "audiences": ["kmcp"]}}),
            POD[:0],
        ),
        (JSONResponse({"status": {"authenticated": True, "user": [POD], "audiences": ["kmcp"]}}), ""),
        (JSONResponse({"status": {"authenticated": True, "user": {"username": ""}, "audiences": ["kmcp"]}}), ""),
        (JSONResponse({"status": 1}), ""),
    ],
)
async def test_an_answer_of_another_shape_lets_nobody_in(
    standing: tuple[StandIn, Path],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    instead: Response,
    told: str,
) -> None:
    standing[0].instead = instead
    async with guarded(standing[1], monkeypatch) as url:
        assert (await post(url, token())).status_code == 401
        standing[0].instead = None
    assert told in caplog.text
    assert token()[:60] not in caplog.text


async def test_when_the_api_server_is_back_callers_are(
    standing: tuple[StandIn, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    standing[0].instead = PlainTextResponse("away", 503)
    async with guarded(standing[1], monkeypatch) as url:
        assert (await post(url, token())).status_code == 401
        standing[0].instead = None
        assert (await post(url, token())).status_code == 200


async def test_a_thousand_replays_ask_once_and_a_flood_of_forgeries_a_few_at_a_time(
    standing: tuple[StandIn, Path],
) -> None:
    stand_in, path = standing
    now = time.time()
    tokens = ClusterTokens(config.load_contexts(str(path)), "kmcp", Subjects("*=read", "x"), lambda: now)
    one = token()
    found = await asyncio.gather(*(tokens.verify_token(one) for _ in range(1000)))
    assert all(each and each.token == one for each in found)
    assert stand_in.asked == [one]
    faked = [token(jti=str(number)).removesuffix("s") + "f" for number in range(1000)]
    assert set(await asyncio.gather(*map(tokens.verify_token, faked))) == {None}
    assert stand_in.most_at_once <= 8
    assert len(stand_in.asked) <= 201, "beyond what may wait, the API server is not asked"
    assert await tokens.verify_token(one), "who was let in still is"
    now += 61
    assert await tokens.verify_token(one)
    assert stand_in.asked[-1] == one, "an answer is kept for a minute"
    now += 600
    assert await tokens.verify_token(one) is None, "and not beyond the token's end"


async def test_a_caller_that_gives_up_takes_no_answer_from_the_others(standing: tuple[StandIn, Path]) -> None:
    tokens = ClusterTokens(config.load_contexts(str(standing[1])), "kmcp", Subjects("*=read", "x"))
    one = token()
    first = asyncio.create_task(tokens.verify_token(one))
    second = asyncio.create_task(tokens.verify_token(one))
    await asyncio.sleep(0)
    first.cancel()
    assert await second
    assert len(standing[0].asked) == 1


@pytest.mark.parametrize(
    ("grants", "user", "listed", "writes"),
    [
        ("*=read", POD, True, False),
        (f"{POD}=write;*=read", POD, True, True),
        ("system:serviceaccount:team-a:*=write", POD, True, True),
        ("group:system:serviceaccounts:team-a=write", POD, True, True),
        ("group:system:serviceaccounts:team-b=write", POD, False, False),
        (f"{POD}=read;group:system:serviceaccounts=write", POD, True, False),
        (f"{POD}=list", POD, True, False),
        ("*=kubernetes", POD, False, False),
    ],
)
async def test_the_first_subject_that_fits_decides(
    standing: tuple[StandIn, Path], monkeypatch: pytest.MonkeyPatch, grants: str, user: str, listed: bool, writes: bool
) -> None:
    async with (
        guarded(standing[1], monkeypatch, token_grants=grants) as url,
        Client(f"{url}/mcp", auth=token(user)) as client,
    ):
        assert bool(await client.list_tools()) is listed
        if writes:
            await ToolCaller(client).ok("shelf_put", name="a", text="b")
        else:
            assert (await ToolCaller(client).fails("shelf_put", name="a", text="b"))["code"] == "denied"


async def test_who_may_only_list_sees_every_tool_and_calls_none(
    standing: tuple[StandIn, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        guarded(standing[1], monkeypatch, token_grants="*=list") as url,
        Client(f"{url}/mcp", auth=token()) as client,
    ):
        names = {each.name for each in await client.list_tools()}
        assert {"shelf_list", "shelf_burn"} <= names
        assert "allow no call" in (await ToolCaller(client).fails("shelf_list"))["message"]


@pytest.mark.parametrize(
    ("grants", "told"),
    [
        ("", "names no subject"),
        ("alice", "'alice' is no `subject=scope …`"),
        ("alice=", "is no `subject=scope …`"),
        ("=read", "is no `subject=scope …`"),
        ("alice=raed", "no scope 'raed'"),
        ("a[bc]=read", r"only \* stands for other text"),
    ],
)
def test_grants_that_cannot_be_read_are_refused_at_start(grants: str, told: str) -> None:
    with pytest.raises(SettingsError, match=f"KMCP_TOKEN_GRANTS.*{told}"):
        Subjects(grants, "KMCP_TOKEN_GRANTS")


@given(st.text(max_size=60))
def test_any_text_is_grants_or_refused(text: str) -> None:
    try:
        found = Subjects(text, "x").grant("nobody-of-that-name\n", ())
    except SettingsError:
        return
    assert not found.effects or "*" in text or "nobody-of-that-name" in text


@settings(max_examples=50, deadline=None)
@given(text=st.one_of(st.text(max_size=80), st.binary(max_size=60).map(lambda raw: f"a.{raw.hex()}.c")))
async def test_no_text_is_a_token(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    nowhere = config.load_contexts(str(kubeconfig("http://127.0.0.1:1", tmp_path_factory.mktemp("config"))))
    tokens = ClusterTokens(nowhere, "kmcp", Subjects("*=destroy", "x"))
    assert await tokens.verify_token(text) is None


def test_outside_of_a_cluster_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(SettingsError, match=r"KMCP_TOKEN_REVIEW.*does not exist"):
        auth.provider(RuntimeSettings(token_review=True))


@pytest.mark.cluster
async def test_tokens_of_a_real_api_server(
    cluster: Cluster, api: KubeApi, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    await api.send("POST", accounts, (), {"metadata": {"name": "agent"}})

    ours, both, plain, others = [
        await create_token(api, namespace, "agent", *audiences)
        for audiences in (["kmcp"], ["kmcp", "other"], [], ["other"])
    ]
    grants = f"system:serviceaccount:{namespace}:agent=write"
    async with guarded(cluster.kubeconfig, monkeypatch, token_grants=grants) as url:
        for right in (ours, both):
            assert (await post(url, right)).status_code == 200
        for wrong in (plain, others, forged(ours), None):
            assert (await post(url, wrong)).status_code == 401
        await api.send("DELETE", f"{accounts}/agent")

    async def answered() -> int:
        async with guarded(cluster.kubeconfig, monkeypatch, token_grants=grants) as url:
            return (await post(url, ours)).status_code

    # The API server itself keeps what it confirmed for some seconds.
    await until(answered, lambda code: code == 401, 60, "the end of a token whose account is gone")


async def test_tokens_of_a_file_and_of_the_cluster_serve_side_by_side(
    standing: tuple[StandIn, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "tokens"
    file.write_text("sesame-of-an-agent fixer write\n")
    async with guarded(standing[1], monkeypatch, auth_tokens_file=str(file)) as url:
        async with Client(f"{url}/mcp", auth="sesame-of-an-agent") as client:
            await ToolCaller(client).ok("shelf_put", name="a", text="b")
        assert standing[0].asked == [], "what the file knows stays here"
        async with Client(f"{url}/mcp", auth=token()) as client:
            await ToolCaller(client).ok("shelf_list")
            assert (await ToolCaller(client).fails("shelf_put", name="a", text="b"))["code"] == "denied"
        assert (await post(url, "neither")).status_code == 401
    err = capsys.readouterr().err
    assert '"caller":"fixer"' in err
    assert f'"caller":"{POD}"' in err
