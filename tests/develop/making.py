"""Projects made by the templates: checked by their own toolchain, and changed while they are served."""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest
from fastmcp import Client

from kmcp_develop.project.description import Project
from tests.delivery.conftest import ran
from tests.installed import SUITE
from tests.ports import free_ports, suite_flags
from tests.slowness import Deadline, scaled

PROGRAMS = {"python": (), "typescript": ("node", "npm"), "go": ("go",), "java": ("java", "mvn")}
"""What a machine must have, for a project in this language to be built on it."""
LONGEST = "a-" + "b" * 48
"""A name of as many characters as one may have: no formatter may break a line because of it."""


def need_toolchain(language: str) -> None:
    """Skip the test, with the reason, where a project in this language cannot be built."""
    if absent := [program for program in PROGRAMS[language] if shutil.which(program) is None]:
        pytest.skip(f"{', '.join(absent)}: not installed, so no {language} project is built here")


def make(folder: Path, *targets: str) -> str:
    """`make` as a user types it, with this environment's uv so that libraries come from its cache."""
    path = os.pathsep.join([str(Path(SUITE).parent), os.environ["PATH"]])
    clean = dict.fromkeys(("MAKEFLAGS", "MFLAGS", "ARGS", "PYTHONPATH", "VIRTUAL_ENV"), "")
    # Java reads the names of files by the locale.
    env = {**clean, "PATH": path, "LC_ALL": "C.UTF-8"}
    return ran("make", *targets, f"PYTHON={sys.executable}", folder=folder, env=env)


def start(project: Project, transport: str, **env: str) -> subprocess.Popen[str]:
    """The server of a project that is built, by its own command."""
    argv = [*project.command[:-1], transport]
    env = {**os.environ, "LC_ALL": "C.UTF-8", **env}
    # Words of a JVM's start would be taken for the server's.
    env.pop("JAVA_TOOL_OPTIONS", None)
    return subprocess.Popen(argv, cwd=project.folder, env=env, stderr=subprocess.PIPE, text=True)


def ends_with_words(project: Project) -> None:
    """Of a transport or a port that it does not know."""
    for transport, env, told in (("smoke", {}, "neither stdio nor http"), ("http", {"PORT": "many"}, "many")):
        process = start(project, transport, **env)
        _, said = process.communicate(timeout=scaled(60))
        assert (process.returncode, told in said) == (1, True), said


def starts_where_settings_are_empty(project: Project) -> None:
    """HOST and PORT that are set and empty mean 127.0.0.1:8000: there it finds that somebody else listens."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # whoever has the port already serves as well
            stack.enter_context(socket.create_server(("127.0.0.1", 8000)))
        process = start(project, "http", HOST="", PORT="")
        _, told = process.communicate(timeout=scaled(60))
    assert process.returncode, told
    assert re.search(r"bind|address already in use", told, re.IGNORECASE), told
    assert re.search(r"127\.0\.0\.1'?[:,] ?8000", told), told


def serves_what_is_written(project: Path, changed: Path, tool: str, compiler: str = "") -> None:
    """`run`: a change of the file `changed`, which says Hello, is served without another word.

    What does not compile is told in the words of the `compiler`, and what ran before stays.
    """
    ports = free_ports(3)
    log = project.parent / "run.log"
    with log.open("w") as output:
        argv = [SUITE, "run", *suite_flags(ports)]
        process = subprocess.Popen(argv, cwd=project, stdout=output, stderr=output)
    try:
        deadline = Deadline(120)
        while not (found := re.search(rf"{project.name}: (http://\S+/mcp) \(page", log.read_text())):
            assert process.poll() is None, log.read_text()
            assert not deadline.passed(), log.read_text()
            time.sleep(0.1)
        changed.write_text(changed.read_text().replace("Hello", "Good day"))
        while "Good day, Ada!" not in _greeting(found[1], tool):
            assert process.poll() is None, log.read_text()
            assert not deadline.passed(), log.read_text()
            time.sleep(0.1)
        if compiler:
            changed.write_text(changed.read_text() + "(")
            while "what ran before stays" not in log.read_text():
                assert not deadline.passed(), log.read_text()
                time.sleep(0.1)
            assert compiler in log.read_text()
            assert "Good day, Ada!" in _greeting(found[1], tool)
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(scaled(30)) == 0, log.read_text()


def _greeting(url: str, tool: str) -> str:
    async def ask() -> str:
        async with Client(url) as client:
            return str((await client.call_tool(tool, {"name": "Ada"})).structured_content)

    try:
        return asyncio.run(ask())
    except (httpx2.HTTPError, RuntimeError, OSError):  # it is just starting anew
        return ""
