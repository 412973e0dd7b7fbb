"""The frameworks, each in an environment of its own, and what their converters make of our tools."""

import json
import os
import subprocess
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from tests.slowness import scaled

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(__file__).parent / "programs"
PAGE = ROOT / "docs" / "reference" / "frameworks.md"
UV = ROOT / ".venv" / "bin" / "uv"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kmcp-suite" / "frameworks"
_PYDANTIC_AI = ("pydantic-ai-slim==2.62.0", "pydantic-ai-slim[mcp]")
PINS = {
    "google-genai": ("google-genai==3.6.1", "mcp>=1.20"),
    "google-adk": ("google-adk==2.13.0", "google-adk[mcp]"),
    "openai-agents": ("openai-agents==0.24.0",),
    "autogen-core": ("autogen-core==0.7.5", "autogen-ext[mcp]==0.7.5", "mcp<2"),
    "mcpadapt": ("mcpadapt==0.1.19",),
    "llama-index-tools-mcp": ("llama-index-tools-mcp==0.6.0",),
    "langchain-mcp-adapters": ("langchain-mcp-adapters==0.3.2",),
    "pydantic-ai (OpenAI)": _PYDANTIC_AI,
    "pydantic-ai (Google)": _PYDANTIC_AI,
}


class NotInstalledError(Exception):
    """The framework cannot be had here; why."""


def convert(framework: str, tools: Sequence[dict[str, Any]]) -> list[str]:
    """What the framework loses of these tools, one sentence each."""
    found: list[str] = run("convert.py", framework, given=json.dumps(tools))
    return found


def run(program: str, framework: str, *arguments: str, given: str = "") -> Any:
    """What a program of ours prints in the framework's environment."""
    command: list[str | Path] = [environment(framework), PROGRAMS / program, framework, *arguments]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        command, input=given, capture_output=True, text=True, check=False, env=clean, timeout=scaled(120)
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def environment(framework: str) -> Path:
    """The interpreter of the framework's own environment, made once; what it needs does not go with ours."""
    name, version = PINS[framework][0].split("==")
    folder = CACHE / f"{name}-{version}"
    interpreter, ready = folder / "bin" / "python", folder / "ready"
    pins = "\n".join(PINS[framework])
    if not ready.exists() or ready.read_text() != pins:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _uv("venv", "--clear", "--python", "3.11", str(folder))
        _uv("pip", "install", "--python", str(interpreter), *PINS[framework])
        ready.write_text(pins)
    return interpreter


def _uv(*arguments: str) -> None:
    done = subprocess.run([UV, "--quiet", *arguments], capture_output=True, text=True, check=False, timeout=scaled(600))
    if done.returncode:
        raise NotInstalledError(f"the framework cannot be installed here: {done.stderr.strip()[-300:]}")


def every_tool() -> dict[str, list[dict[str, Any]]]:
    """As they are listed, by server."""
    servers = [each.load() for each in sorted(entry_points(group="kmcp.servers"), key=lambda each: each.name)]
    return {
        server.name: [
            {"name": tool.name, "description": "what it does", "inputSchema": tool.input_schema()}
            for tool in server.tools()
        ]
        for server in servers
    }
