"""Every tool of every server, through the converters of the frameworks that agents are written with (X1)."""

import json
import os
import subprocess
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from tests.slowness import scaled

ROOT = Path(__file__).parents[2]
UV = ROOT / ".venv" / "bin" / "uv"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kmcp-suite" / "frameworks"
PINS = {
    "google-genai": ("google-genai==3.6.1", "mcp>=1.20"),
    "google-adk": ("google-adk==2.13.0",),
    "openai-agents": ("openai-agents==0.24.0",),
    "autogen-core": ("autogen-core==0.7.5",),
    "mcpadapt": ("mcpadapt==0.1.19",),
    "llama-index-tools-mcp": ("llama-index-tools-mcp==0.6.0",),
}


def environment(framework: str) -> Path:
    """The interpreter of the framework's own environment, made once; what it needs does not go with ours."""
    folder = CACHE / "-".join([framework, PINS[framework][0].rpartition("=")[2]])
    interpreter = folder / "bin" / "python"
    if not (folder / "ready").exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        uv("venv", "--clear", "--python", "3.11", str(folder))
        uv("pip", "install", "--python", str(interpreter), *PINS[framework])
        (folder / "ready").touch()
    return interpreter


def uv(*arguments: str) -> None:
    done = subprocess.run([UV, "--quiet", *arguments], capture_output=True, text=True, check=False, timeout=scaled(600))
    if done.returncode and not os.environ.get("CI"):
        pytest.skip(f"the framework cannot be installed here: {done.stderr.strip()[-300:]}")
    assert not done.returncode, done.stderr


def every_tool() -> list[dict[str, Any]]:
    servers = [each.load() for each in entry_points(group="kmcp.servers")]
    return [
        {"name": tool.name, "description": "what it does", "inputSchema": tool.input_schema()}
        for server in servers
        for tool in server.tools()
    ]


@pytest.mark.parametrize("framework", list(PINS))
def test_every_tool_keeps_its_meaning(framework: str) -> None:
    """Types, enums, descriptions, required and free-form arguments are those that the server lists."""
    program: list[str | Path] = [environment(framework), Path(__file__).parent / "programs" / "convert.py", framework]
    tools = every_tool()
    assert len(tools) > 100
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        program, input=json.dumps(tools), capture_output=True, text=True, check=False, env=clean, timeout=scaled(120)
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) == []
