"""V16: projects in TypeScript, Go and Java, each built, checked and served by its own toolchain."""

import json
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree  # what is parsed was written by us

import httpx2
import pytest
import yaml

from kmcp_develop.cli.init import add_tool, init
from kmcp_develop.cli.test import test as contract
from kmcp_develop.project.description import Project, read_project
from kmcp_develop.project.names import package_of
from tests.develop.making import (
    LONGEST,
    ends_with_words,
    make,
    need_toolchain,
    serves_what_is_written,
    start,
    starts_where_settings_are_empty,
)
from tests.ports import free_ports
from tests.slowness import Deadline, scaled

OTHERS = ("typescript", "go", "java")
PASSED = {"typescript": "# pass 4", "go": "ok  \texample.com/", "java": "Tests run: 4, Failures: 0"}


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.timeout(900)
def test_a_project_of_another_language_passes_its_own_checks_and_the_contract(
    tmp_path: Path, language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    need_toolchain(language)
    project = tmp_path / "größe und maß" / LONGEST
    assert init([LONGEST, "--language", language, "--output", str(project)]) == 0
    assert contract([str(project)]) == 2
    assert "run `make check test`" in capsys.readouterr().err
    # Files of Go that end so belong to a system or to tests, and Java has a String of its own.
    for tool in ("list_linux", "string"):
        assert add_tool([tool, "--project", str(project)]) == 0
    assert PASSED[language] in make(project, "check", "test")
    assert contract([str(project), "--strict", "--timeout", str(scaled(60))]) == 0, capsys.readouterr().out
    assert f"{LONGEST}: 3 tools" in capsys.readouterr().out
    description = read_project(project)
    ends_with_words(description)
    starts_where_settings_are_empty(description)
    with _served(description) as url, _client() as http:
        _survives_nonsense(url, http)
        assert contract([url, "--strict", "--timeout", str(scaled(60))]) == 0, capsys.readouterr().out
        # A web page that has this machine's address under a name of its own.
        answer = http.post(url, headers={"Host": "evil.example", "Origin": "http://evil.example"}, content=b"{}")
        assert answer.status_code in (403, 421)
    if language == "go":  # the others are built by the same words, in more time
        greet = project / "greet_tool.go"
        serves_what_is_written(project, greet, f"{package_of(description.name)}_greet", compiler="syntax error")


def _client() -> httpx2.Client:
    return httpx2.Client(trust_env=False, timeout=scaled(30))


def _survives_nonsense(url: str, http: httpx2.Client) -> None:
    """Each request is answered with a refusal or another place, and none ends the server."""
    where = httpx2.URL(url)
    for target in ("//", "/?", "/other", "/mcp/../x", "*"):
        with socket.create_connection((where.host, where.port or 80), timeout=scaled(30)) as connection:
            connection.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            assert re.match(rb"HTTP/1.1 [34]\d\d", connection.recv(100)), target
    head = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    for content in (b"", b"{", b"\xff\xfe", b"[]", b'{"jsonrpc": "2.0"}', b"[" * 100_000):
        assert http.post(url, headers=head, content=content).status_code in range(400, 500), content


@contextmanager
def _served(project: Project) -> Iterator[str]:
    """Its URL; SIGTERM ends it in time, as a pod's end asks."""
    (port,) = free_ports(1)
    process = start(project, "http", HOST="", PORT=str(port))
    try:
        _wait(process, port)
        yield f"http://127.0.0.1:{port}/mcp"
        process.send_signal(signal.SIGTERM)
        assert process.wait(scaled(15)) in (0, 128 + signal.SIGTERM)
    finally:
        process.kill()
        process.communicate()


def _wait(process: subprocess.Popen[str], port: int) -> None:
    deadline = Deadline(60)
    with _client() as http:
        while True:
            try:
                http.get(f"http://127.0.0.1:{port}/")
                return
            except httpx2.TransportError:
                assert process.poll() is None
                assert not deadline.passed()
                time.sleep(0.1)


@pytest.mark.parametrize("language", ["python", *OTHERS])
@pytest.mark.parametrize("name", ["b", LONGEST])
def test_every_file_of_a_template_is_filled_in_and_can_be_read(tmp_path: Path, language: str, name: str) -> None:
    """Without any toolchain: what every project has, whatever its language."""
    project = tmp_path / name
    assert init([name, "--language", language, "--kind", "plain", "--output", str(project)]) == 0
    assert add_tool(["list_2_things", "--project", str(project)]) == 0
    texts = {path.relative_to(project).as_posix(): path.read_text() for path in project.rglob("*") if path.is_file()}
    left = [path for path, text in texts.items() if "{{" in f"{path}{text}" and not path.endswith(".json")]
    # `${{ … }}` and f-strings of braces are not places of ours.
    assert [path for path in left if re.search(r"\{\{[a-z_]+\}\}", f"{path}{texts[path]}")] == []
    manifest = yaml.safe_load(texts["mcpserver.yaml"])
    assert (manifest["metadata"]["name"], manifest["spec"]["deployment"]["port"]) == (name, 8000)
    steps = yaml.safe_load(texts[".github/workflows/check.yml"])["jobs"]["check"]["steps"]
    assert steps[-1] == {"run": "make check test"}
    assert any(f"setup-{'node' if language == 'typescript' else language}" in str(step) for step in steps)
    assert "USER 65532:65532" in texts["Dockerfile"]
    assert f"| `{name.replace('-', '_')}_list_2_things` |" in texts["README.md"]
    for path, text in texts.items():
        if path.endswith(".json"):
            json.loads(text)
        elif path.endswith(".xml"):
            ElementTree.fromstring(text)
    assert set(re.findall(r"^(\w+):", texts["Makefile"], re.MULTILINE)) >= {"check", "test"}


@pytest.mark.parametrize(
    ("language", "name"),
    [("go", "func"), ("java", "new"), ("java", "package"), ("typescript", "await"), ("go", "null"), ("java", "no")],
)
def test_a_word_of_the_language_is_no_name(
    language: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert init([name, "--language", language]) == 1
    assert "choose another name" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    # A word of another language is one: nothing of the project is called so.
    assert init(["json" if language != "python" else "func", "--language", language]) == 0


def test_what_a_project_lost_is_told_when_a_tool_is_added(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Java's list of tools is a file of the project: without it nothing is written."""
    project = tmp_path / "vault"
    assert init(["vault", "--language", "java", "--output", str(project)]) == 0
    (listed,) = project.rglob("com.example.vault.Tool")
    before = listed.read_text()
    listed.unlink()
    there = sorted(project.rglob("*"))
    assert add_tool(["look", "--project", str(project)]) == 1
    assert "nothing was added" in capsys.readouterr().err
    assert sorted(project.rglob("*")) == there
    # A last line that somebody left open is not run together with the new one.
    listed.write_text(before.rstrip("\n"))
    assert add_tool(["look", "--project", str(project)]) == 0
    assert listed.read_text().splitlines() == ["com.example.vault.GreetTool", "com.example.vault.LookTool"]
    shutil.rmtree(project / "src")
    (project / "kmcp.yaml").write_text((project / "kmcp.yaml").read_text().replace("language: java", "language: rust"))
    assert add_tool(["look", "--project", str(project)]) == 1
    assert "add-tool knows no rust project" in capsys.readouterr().err
