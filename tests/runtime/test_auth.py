"""Who may call, over real HTTP: no valid token, no answer and no list."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastmcp import Client
from fastmcp.server.auth.providers.jwt import RSAKeyPair
from joserfc.jwk import RSAKey
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
    path.write_text("# who may call\nopen-sesame-1 alice admin\nopen-sesame-2 bob\n")
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
async def issuing(keys: RSAKeyPair) -> AsyncIterator[str]:
    """An issuer's JWKS endpoint."""
    key = {**RSAKey.import_key(keys.public_key).as_dict(private=False), "kid": "k1"}

    async def jwks(request: Request) -> JSONResponse:
        return JSONResponse({"keys": [key]})

    async with served(Starlette(routes=[Route("/jwks", jwks)])) as url:
        yield f"{url}/jwks"


async def test_json_web_tokens_of_the_issuer_for_this_audience_are_taken_and_no_others() -> None:
    keys, foreign = RSAKeyPair.generate(), RSAKeyPair.generate()

    def token(pair: RSAKeyPair = keys, **claims: Any) -> str:
        said = {"subject": "carol", "issuer": ISSUER, "audience": AUDIENCE, "kid": "k1"} | claims
        return pair.create_token(**said)

    async with (
        issuing(keys) as jwks,
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
    broken.write_text("\n# nobody\n")
    with pytest.raises(SettingsError, match="holds no token"):
        auth.provider(RuntimeSettings(auth_tokens_file=str(broken)))
