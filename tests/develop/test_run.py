"""`kmcp-suite run`: what it prints is there, and what ran before stays while a changed file cannot run."""

import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import yaml
from fastmcp import Client

from tests.controller.clock_suite import environment
from tests.controller.test_local import Up, running
from tests.installed import SUITE
from tests.ports import free_ports, suite_flags
from tests.slowness import scaled
from tests.waiting import until

SERVER = """
from fastmcp import FastMCP

from words import WORD

server = FastMCP("shelf")


@server.tool
def shelf_word() -> str:
    return WORD


server.run("stdio", show_banner=False)
"""


@dataclass
class Served:
    project: Path
    up: Up

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.up.ports[0]}/mcp"

    def status(self) -> subprocess.CompletedProcess[str]:
        argv, env = [SUITE, "status", "--json"], environment(self.up.folder)
        return subprocess.run(argv, check=False, env=env, capture_output=True, text=True, timeout=scaled(30))

    async def word(self) -> str:
        """What the tool answers; empty while nobody does."""
        try:
            async with Client(self.url) as client:
                return str((await client.call_tool("shelf_word", {})).data)
        except (OSError, RuntimeError, httpx2.HTTPError):
            return ""


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[Served]:
    """A project in Python of two files, whose tool says a word."""
    project = folder / "shelf"
    project.mkdir()
    (project / "server.py").write_text(SERVER)
    (project / "words.py").write_text('WORD = "one"\n')
    about = {"name": "shelf", "language": "python", "kind": "plain", "image": "localhost/shelf:0.1.0"}
    (project / "kmcp.yaml").write_text(yaml.safe_dump({**about, "command": [sys.executable, "server.py"]}))
    ports = free_ports(3)
    argv = [SUITE, "run", str(project), *suite_flags(ports)]
    with running(argv, environment(folder), ports, folder) as up:
        found = Served(project, up)

        async def greeted() -> bool:
            assert up.process.poll() is None, up.errors()
            return "(page: " in up.printed()

        await until(greeted, what="the greeting")
        yield found
    assert up.process.returncode == 0, up.errors()


async def test_the_addresses_that_run_prints_are_those_where_it_serves(tmp_path: Path) -> None:
    """At the ports that were asked for; and `status` knows the run."""
    async with served(tmp_path) as found:
        printed = found.up.printed()
        assert set(re.findall(r"http://\S+/mcp", printed)) == {found.url}
        blocks = [json.loads(part.partition(":\n")[2]) for part in printed.split("\n\n") if ":\n{" in part]
        assert [next(iter(block.values()))["shelf"]["url"] for block in blocks] == [found.url] * 3
        assert f"All tools at {found.url}\n" in printed
        assert f"shelf: {found.url} (page: {found.up.page}/)" in printed
        assert await found.word() == "one"
        async with httpx2.AsyncClient(trust_env=False) as http:
            assert (await http.get(f"http://127.0.0.1:{found.up.ports[1]}/healthz")).status_code == 200
        (status,) = json.loads(found.status().stdout)
        assert (status["port"], status["state"], status["pid"]) == (
            found.up.ports[0],
            "running",
            found.up.process.pid,
        )
        assert [(each["name"], each["url"]) for each in status["servers"]] == [("shelf", found.url)]
    assert found.status().returncode == 3


async def test_a_python_file_that_does_not_compile_ends_nothing(tmp_path: Path) -> None:
    """Nor does a change of another file, until the first one compiles again."""
    async with served(tmp_path) as found:
        assert await found.word() == "one"
        server, words = found.project / "server.py", found.project / "words.py"

        async def told() -> list[str]:
            assert found.up.process.poll() is None, found.up.errors()
            return re.findall(r"what ran before stays", found.up.errors())

        server.write_text(SERVER + "def (\n")
        await until(told, what="the compiler's words")
        assert re.search(r'server\.py", line \d+\n +def \(\n.*\nSyntaxError: ', found.up.errors())
        words.write_text('WORD = "two"\n')
        await until(told, lambda lines: len(lines) == 2, what="the compiler's words of the same file")
        assert await found.word() == "one"
        server.write_text(SERVER)
        await until(found.word, lambda word: word == "two", what="the new word")
        assert "starting it again in" not in found.up.errors()  # nothing has crashed
        assert sorted(path.name for path in found.project.iterdir() if path.name != "__pycache__") == [
            "kmcp.yaml",
            "server.py",
            "words.py",
        ]
