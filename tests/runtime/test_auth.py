"""Who may call, over real HTTP: no valid token, no answer and no list."""

import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastmcp import Client
from fastmcp.server.auth.providers.jwt import RSAKeyPair
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from kmcp_runtime import RuntimeSettings, SettingsError
from kmcp_runtime.engine import auth
from kmcp_runtime.engine.assembly import http_app
from tests.mcp import ToolCaller
from tests.runtime.conftest import shelved
from tests.serving import served

LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
HEADERS = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-11-25"}
ISSUER = "https://issuer.example"
AUDIENCE = "kmcp-shelf"


@asynccontextmanager
async def guarded(**settings: Any) -> AsyncIterator[str]:
    instance = shelved(**settings)
    async with instance.opened(), served(http_app("shelf", [instance], auth.provider(instance.runtime))) as url:
        yield url


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    path = tmp_path / "tokens"
    path.write_text("# who may call\nopen-sesame-1 alice destroy\nopen-sesame-2 bob\n")
    return path


async def post(url: str, token: str | None, body: dict[str, Any] = LIST) -> httpx2.Response:
    headers = HEADERS | ({"Authorization": f"Bearer {token}"} if token else {})
    async with httpx2.AsyncClient() as client:
        return await client.post(f"{url}/mcp", json=body, headers=headers)


@pytest.mark.parametrize("token", [None, "wrong", "open-sesame-1x"])
async def test_a_missing_or_forged_token_gets_a_challenge_and_no_list(tokens: Path, token: str | None) -> None:
    async with guarded(auth_tokens_file=str(tokens)) as url:
        answer = await post(url, token)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert "shelf_" not in answer.text


async def test_a_token_of_the_file_names_the_caller_in_the_audit(
    tokens: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with guarded(auth_tokens_file=str(tokens)) as url, Client(f"{url}/mcp", auth="open-sesame-2") as client:
        await ToolCaller(client).ok("shelf_list")
    err = capsys.readouterr().err
    assert '"caller":"bob"' in err
    assert "open-sesame" not in err


async def test_a_rotated_file_is_read_again(tokens: Path) -> None:
    async with guarded(auth_tokens_file=str(tokens)) as url:
        assert (await post(url, "open-sesame-1")).status_code == 200
        tokens.write_text("a-new-and-longer-one alice\n")
        assert (await post(url, "open-sesame-1")).status_code == 401
        assert (await post(url, "a-new-and-longer-one")).status_code == 200


async def test_an_approval_of_one_caller_is_none_of_another(tokens: Path) -> None:
    async with (
        guarded(auth_tokens_file=str(tokens)) as url,
        Client(f"{url}/mcp", auth="open-sesame-1") as one,
        Client(f"{url}/mcp", auth="open-sesame-2") as other,
    ):
        await ToolCaller(one).ok("shelf_put", name="a", text="b")
        token = (await ToolCaller(one).fails("shelf_burn", name="a"))["approval"]
        error = await ToolCaller(other).fails("shelf_burn", name="a", approval=token)
        assert "another caller" in error["message"]
        await ToolCaller(one).ok("shelf_burn", name="a", approval=token)


@asynccontextmanager
async def issuing(keys: Any) -> AsyncIterator[str]:
    """An issuer's JWKS endpoint."""
    key = {**keys.as_dict(private=False), "kid": "k1"}

    async def jwks(request: Request) -> JSONResponse:
        return JSONResponse({"keys": [key]})

    async with served(Starlette(routes=[Route("/jwks", jwks)])) as url:
        yield f"{url}/jwks"


def jwt_settings(jwks: str) -> dict[str, str]:
    base = "http://shelf.example"
    return {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE, "jwt_jwks_url": jwks, "base_url": base}


def signed(keys: Any, algorithm: str, claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": algorithm, "kid": "k1"}, claims, keys, algorithms=[algorithm])


async def test_json_web_tokens_of_the_issuer_for_this_audience_are_taken_and_no_others() -> None:
    keys, foreign = RSAKeyPair.generate(), RSAKeyPair.generate()

    def token(pair: RSAKeyPair = keys, **claims: Any) -> str:
        said = {"subject": "carol", "issuer": ISSUER, "audience": AUDIENCE, "kid": "k1"} | claims
        return pair.create_token(**said)

    async with (
        issuing(RSAKey.import_key(keys.public_key)) as jwks,
        guarded(jwt_issuer=ISSUER, jwt_audience=AUDIENCE, jwt_jwks_url=jwks, base_url="http://shelf.example") as url,
    ):
        assert (await post(url, token())).status_code == 200
        bad = {
            "wrong audience": token(audience="another"),
            "wrong issuer": token(issuer="https://other.example"),
            "forged": token(foreign),
            "expired": token(expires_in_seconds=-60),
        }
        for why, wrong in bad.items():
            answer = await post(url, wrong)
            assert answer.status_code == 401, why
            assert "resource_metadata=" in answer.headers["www-authenticate"], why
        async with httpx2.AsyncClient() as client:
            metadata = (await client.get(f"{url}/.well-known/oauth-protected-resource/mcp")).json()
        assert metadata["resource"] == "http://shelf.example/mcp"
        assert metadata["authorization_servers"] == [f"{ISSUER}/"]


def log_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "kmcp.auth"]


async def test_D6_a_token_without_an_end_or_before_its_time_or_for_others_is_refused_with_the_reason_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    keys = RSAKey.generate_key(2048)
    now = int(time.time())
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "carol", "exp": now + 600}
    bad = {
        "exp": {key: value for key, value in good.items() if key != "exp"},
        "expired": good | {"exp": now - 60},
        "not yet valid": good | {"nbf": now + 600},
        "aud": {key: value for key, value in good.items() if key != "aud"},
        "'aud'": good | {"aud": ["others"]},
        "'iss'": good | {"iss": "https://other.example"},
        "NumericDate": good | {"exp": "tomorrow"},
        "'groups'": good | {"groups": [{"name": "oncall"}]},
        "claim 'groups'": good | {"groups": {"oncall": True}},
    }
    async with issuing(keys) as jwks, guarded(**jwt_settings(jwks)) as url:
        assert (await post(url, signed(keys, "RS256", good | {"nbf": now - 1, "groups": None}))).status_code == 200
        for why, claims in bad.items():
            caplog.clear()
            token = signed(keys, "RS256", claims)
            assert (await post(url, token)).status_code == 401, why
            (line,) = log_of(caplog)
            assert why in line
            assert token.split(".")[1] not in caplog.text
        caplog.clear()
        assert (await post(url, signed(RSAKey.generate_key(2048), "RS256", good))).status_code == 401
        assert "signature" in log_of(caplog)[0]


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "Ed25519"])
async def test_keys_of_every_asymmetric_kind_are_accepted(algorithm: str) -> None:
    keys: Any = (
        ECKey.generate_key("P-256")
        if algorithm == "ES256"
        else OKPKey.generate_key("Ed25519")
        if algorithm == "Ed25519"
        else RSAKey.generate_key(2048)
    )
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "carol", "exp": int(time.time()) + 600}
    async with issuing(keys) as jwks, guarded(**jwt_settings(jwks)) as url:
        assert (await post(url, signed(keys, algorithm, claims))).status_code == 200


@pytest.mark.parametrize("name", ["alg", "kid", "typ", "crit", "jwk", "b64"])
async def test_whatever_a_header_says_the_token_is_refused(name: str) -> None:
    """Nobody has confirmed it yet: it may be anything."""
    keys = RSAKey.generate_key(2048)
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "carol", "exp": int(time.time()) + 600}
    async with issuing(keys) as jwks, guarded(**jwt_settings(jwks)) as url:
        for odd in (None, True, 7, 1e300, "", "none", "\ud800", [], ["RS256"], {}, {"a": 1}):
            parts = (
                base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
                for part in ({"alg": "RS256", "kid": "k1", name: odd}, claims)
            )
            assert (await post(url, ".".join([*parts, "c2lnbmF0dXJl"]))).status_code == 401, odd


async def test_D5_scopes_decide_which_tools_are_listed_and_what_calls_do(tokens: Path) -> None:
    tokens.write_text("t-read rita read\nt-write walt write\nt-all dora destroy\nt-else ella prometheus\n")
    async with guarded(auth_tokens_file=str(tokens)) as url:
        shown: dict[str, set[str]] = {}
        for name in ("t-read", "t-write", "t-all", "t-else"):
            async with Client(f"{url}/mcp", auth=name) as client:
                listed = await client.list_tools()
                shown[name] = {found.name for found in listed}
                if name == "t-read":
                    (tidy,) = (found for found in listed if found.name == "shelf_tidy")
                    assert tidy.input_schema["properties"]["action"]["const"] == "count"
        assert {"shelf_list", "shelf_tidy"} <= shown["t-read"] < shown["t-write"] < shown["t-all"]
        assert not {"shelf_put", "shelf_burn"} & shown["t-read"]
        assert "shelf_put" in shown["t-write"]
        assert "shelf_burn" not in shown["t-write"]
        assert not shown["t-else"]


async def test_D5_a_call_beyond_its_scopes_is_denied(tokens: Path) -> None:
    tokens.write_text("t-read rita read\nt-write walt write\nt-else ella prometheus\n")
    async with guarded(auth_tokens_file=str(tokens)) as url:
        async with Client(f"{url}/mcp", auth="t-write") as client:
            walt = ToolCaller(client)
            await walt.ok("shelf_put", name="a", text="b")
            assert (await walt.fails("shelf_burn", name="a"))["code"] == "denied"
            assert (await walt.fails("shelf_tidy", action="clear"))["code"] == "denied"
            assert (await walt.ok("shelf_tidy", action="sort"))["result"] == "sort"
        async with Client(f"{url}/mcp", auth="t-read") as client:
            rita = ToolCaller(client)
            for tool, arguments in (("shelf_burn", {"name": "a"}), ("shelf_put", {"name": "a", "text": "c"})):
                error = await rita.fails(tool, **arguments)
                assert error["code"] == "denied"
                assert "its scopes, or its address, allow read" in error["message"]
            sorting = await rita.fails("shelf_tidy", action="sort")
            assert sorting["code"] == "denied"
            assert "its scopes, or its address, allow read" in sorting["message"]
            assert (await rita.ok("shelf_list"))["items"] == [{"name": "a", "text": "b"}]
        async with Client(f"{url}/mcp", auth="t-else") as client:
            assert (await ToolCaller(client).fails("shelf_list"))["code"] == "denied"


READS = {"shelf_list", "shelf_read", "shelf_tidy"}
WRITES = READS | {"shelf_put"}
ALL = WRITES | {"shelf_burn"}
NOBODY: set[str] = set()


@pytest.mark.parametrize(
    ("claims", "default", "allowed"),
    [
        ({}, "", ALL),
        ({}, "read", READS),
        ({}, "write, read", WRITES),
        ({}, "prometheus", NOBODY),
        ({"scope": "read"}, "", READS),
        ({"scope": "read"}, "destroy", READS),
        ({"scope": "openid write email"}, "", WRITES),
        ({"scope": "destroy"}, "read", ALL),
        ({"scp": ["read", "profile"]}, "", READS),
        ({"scp": "write"}, "", WRITES),
        ({"scope": "read", "scp": ["destroy"]}, "", READS),
        ({"scope": "destroy prometheus"}, "", NOBODY),
        ({"scope": "openid"}, "", NOBODY),
        ({"scope": ""}, "", NOBODY),
        ({"scp": []}, "", NOBODY),
        ({"scope": "READ"}, "", NOBODY),
        ({"scope": "read,write"}, "", NOBODY),
    ],
)
@pytest.mark.parametrize("with_file", [False, True])
async def test_D5_scopes_of_json_web_tokens_are_enforced(
    claims: dict[str, Any], default: str, allowed: set[str], with_file: bool, tokens: Path
) -> None:
    keys = ECKey.generate_key("P-256")
    token = signed(keys, "ES256", claims | {"iss": ISSUER, "aud": AUDIENCE, "sub": "carol", "exp": time.time() + 600})
    files = {"auth_tokens_file": str(tokens)} if with_file else {}
    async with (
        issuing(keys) as jwks,
        guarded(**jwt_settings(jwks), jwt_scopes=default, **files) as url,
        Client(f"{url}/mcp", auth=token) as client,
    ):
        listed = {found.name for found in await client.list_tools()}
        assert listed & ALL == allowed
        carol = ToolCaller(client)
        denied = set()
        for tool, arguments in (
            ("shelf_list", {}),
            ("shelf_put", {"name": "a", "text": "b"}),
            ("shelf_burn", {"name": "a", "dry_run": True}),
        ):
            result = await client.call_tool(tool, arguments, raise_on_error=False)
            denied |= {tool} if result.is_error and "its address, allow" in str(result.content) else set()
        assert denied == {"shelf_list", "shelf_put", "shelf_burn"} - allowed
        if not allowed:
            assert (await carol.fails("shelf_list"))["code"] == "denied"


async def test_D5_foreign_scopes_are_named_once_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    keys = ECKey.generate_key("P-256")
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "carol", "exp": time.time() + 600, "scope": "openid read raed"}
    async with issuing(keys) as jwks, guarded(**jwt_settings(jwks)) as url:
        for _ in range(3):
            assert (await post(url, signed(keys, "ES256", claims))).status_code == 200
    assert log_of(caplog) == ["scopes of JSON Web Tokens that say nothing here: 'openid', 'raed'"]


@pytest.mark.parametrize("scopes", [7, True, None, {"read": True}, ["read", 7], [["destroy"]]])
async def test_D5_scopes_that_are_no_words_void_the_token(scopes: Any, caplog: pytest.LogCaptureFixture) -> None:
    keys = ECKey.generate_key("P-256")
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "carol", "exp": time.time() + 600, "scope": scopes}
    async with issuing(keys) as jwks, guarded(**jwt_settings(jwks)) as url:
        assert (await post(url, signed(keys, "ES256", claims))).status_code == 401
    assert "neither a text nor a list of texts" in caplog.text


def test_D5_an_unknown_scope_of_the_setting_is_refused_at_start() -> None:
    with pytest.raises(SettingsError, match=r"KMCP_JWT_SCOPES: no scope 'raed'; there are read, write, destroy"):
        auth.provider(RuntimeSettings(**jwt_settings("http://127.0.0.1/jwks"), jwt_scopes="read, raed"))


def test_D5_an_unknown_scope_is_refused_at_start_with_its_line(tokens: Path) -> None:
    tokens.write_text("# all\ntok alice raed\n")
    with pytest.raises(
        SettingsError, match=r"line 2: no scope 'raed'; there are read, write, destroy, list and the servers"
    ):
        auth.provider(RuntimeSettings(auth_tokens_file=str(tokens)))


@pytest.mark.parametrize("broken", ["", "# nobody\n", "only-a-token\n", "tok alice raed\n", None, b"\xff\xfe tok"])
async def test_D8_a_token_file_that_breaks_while_running_lets_nobody_call_and_is_logged_once(
    tokens: Path, broken: str | bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    async with guarded(auth_tokens_file=str(tokens)) as url:
        assert (await post(url, "open-sesame-1")).status_code == 200
        if broken is None:
            tokens.unlink()
        else:
            tokens.write_bytes(broken if isinstance(broken, bytes) else broken.encode())
        for _ in range(3):
            assert (await post(url, "open-sesame-1")).status_code == 401
        assert len(log_of(caplog)) == 1
        assert "open-sesame" not in caplog.text
        tokens.write_text("open-sesame-3 alice\n")
        assert (await post(url, "open-sesame-3")).status_code == 200


async def test_host_and_origin_are_checked_on_loopback() -> None:
    async with guarded() as url, httpx2.AsyncClient() as client:
        rebound = await client.post(f"{url}/mcp", json=LIST, headers=HEADERS | {"Host": "evil.example"})
        assert rebound.status_code == 421
        foreign = await client.post(f"{url}/mcp", json=LIST, headers=HEADERS | {"Origin": "https://evil.example"})
        assert foreign.status_code == 403
        assert (await client.post(f"{url}/mcp", json=LIST, headers=HEADERS)).status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])
def test_listening_beyond_loopback_needs_authentication_or_plain_words(host: str, tokens: Path) -> None:
    with pytest.raises(SettingsError, match="allow-unauthenticated"):
        auth.check_exposure(RuntimeSettings(host=host), None)
    auth.check_exposure(RuntimeSettings(host=host, allow_unauthenticated=True), None)
    guarded_settings = RuntimeSettings(host=host, auth_tokens_file=str(tokens))
    auth.check_exposure(guarded_settings, auth.provider(guarded_settings))


def test_half_a_configuration_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--jwt-audience, --jwt-jwks-url, --base-url"):
        auth.provider(RuntimeSettings(jwt_issuer=ISSUER))
    with pytest.raises(SettingsError, match="No such file"):
        auth.provider(RuntimeSettings(auth_tokens_file=str(tmp_path / "absent")))
    broken = tmp_path / "broken"
    broken.write_text("only-a-token\n")
    with pytest.raises(SettingsError, match="line 1: write"):
        auth.provider(RuntimeSettings(auth_tokens_file=str(broken)))
    broken.write_text("t0ken ann read\nother bob\nt0ken ann destroy\n")
    with pytest.raises(SettingsError, match="line 3: its token stands in a line before, too") as caught:
        auth.provider(RuntimeSettings(auth_tokens_file=str(broken)))
    assert "t0ken" not in str(caught.value)
    broken.write_text("\n# nobody\n")
    with pytest.raises(SettingsError, match="contains no token"):
        auth.provider(RuntimeSettings(auth_tokens_file=str(broken)))
