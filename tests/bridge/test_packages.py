"""A server that is published as a package, run by its package runner behind the bridge."""

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fastmcp import Client

from tests.bridge.conftest import Start
from tests.slowness import scaled

PACKAGE = "mcp-server-time"


def runner() -> str:
    found = shutil.which("uvx", path=str(Path(sys.executable).parent)) or shutil.which("uvx")
    if found is None:
        pytest.skip("uvx is not installed")
    return found


async def test_a_published_server_through_uvx(start: Start, tmp_path: Path) -> None:
    uvx = runner()
    cache = str(tmp_path / "uv-cache")
    argv = [uvx, "--cache-dir", cache, PACKAGE, "--help"]
    fetched = await asyncio.to_thread(
        subprocess.run, argv, capture_output=True, text=True, check=False, timeout=scaled(150)
    )
    if fetched.returncode:
        last = (fetched.stderr.strip() or "no output").splitlines()[-1]
        pytest.skip(f"{PACKAGE} cannot be had from the package registry: {last}")
    bridge = await start(uvx, PACKAGE, KMCP_BRIDGE_HANDSHAKE="60").ready()
    for mode in ("auto", "legacy"):
        async with Client(bridge.url, mode=mode) as mcp:
            assert "get_current_time" in {tool.name for tool in await mcp.list_tools()}
            result = await mcp.call_tool("get_current_time", {"timezone": "UTC"})
            assert '"timezone": "UTC"' in str(result.content)
    assert (tmp_path / "uv-cache").is_dir()
