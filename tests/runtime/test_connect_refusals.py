"""What `kmcp-suite connect` says where a server answers and lets nobody in."""

import asyncio
from pathlib import Path

import pytest

from kmcp_runtime import commands
from kmcp_runtime.engine import auth
from kmcp_runtime.engine.assembly import http_app
from tests.runtime.conftest import shelved
from tests.serving import served


async def test_a_refusal_says_whether_the_token_is_wrong_or_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("open-sesame-1 alice read\n")
    instance = shelved(auth_tokens_file=str(tokens))

    async def tried(*given: str) -> str:
        await asyncio.to_thread(commands.main, ["connect", "claude-code", *given])
        return capsys.readouterr().err.splitlines()[-1].removeprefix("connect: tested: kmcp: ")

    async with instance.opened(), served(http_app("shelf", [instance], auth.provider(instance.runtime))) as base:
        url = ("--url", f"{base}/mcp")
        named = (*url, "--token-env", "SHELF_TOKEN")
        assert await tried(*url) == (
            "not connected: HTTP 401: a token is wanted; --token-env names the variable that holds one"
        )
        assert await tried(*named) == "not connected: HTTP 401: a token is wanted; SHELF_TOKEN is not set here"
        monkeypatch.setenv("SHELF_TOKEN", "open-sesame-2")
        assert await tried(*named) == "not connected: HTTP 401: the server does not take the token in SHELF_TOKEN"
        monkeypatch.setenv("SHELF_TOKEN", "open-sesame-1")
        assert "tool" in await tried(*named)
        assert await tried("--url", f"{base}/other/mcp/", "--token-env", "SHELF_TOKEN") == (
            "not connected: HTTP 404; the path is usually /mcp"
        )
