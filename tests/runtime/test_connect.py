"""`kmcp-suite connect`: what it prints is started here by an MCP client, as each client would read it."""

import asyncio
import base64
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from fastmcp import Client
from fastmcp.client.transports import ClientTransport, StdioTransport, StreamableHttpTransport

from kmcp_runtime import commands, shipped, yaml_text
from kmcp_runtime.catalog import CLIENTS
from kmcp_runtime.connect import jsonc
from kmcp_runtime.engine.assembly import http_app
from tests.runtime.conftest import shelved
from tests.serving import served
from tests.slowness import scaled

KEYS = {"vscode": "servers", "zed": "context_servers", "codex": "mcp_servers"}
ROOT = Path(__file__).parents[2]
SECRET = "planted-token-of-the-shell"


def read(client: str, text: str) -> dict[str, Any]:
    """The servers of a file, as the client reads it."""
    body = tomllib.loads(text) if client == "codex" else json.loads(text)
    servers = body[KEYS.get(client, "mcpServers")]
    assert isinstance(servers, dict)
    return servers


def transport_of(entry: dict[str, Any]) -> ClientTransport:
    """What a client makes of one server's entry, which must stand there as it is needed: nothing is expanded."""
    assert "${" not in json.dumps(entry)
    url = entry.get("url") or entry.get("serverUrl") or entry.get("httpUrl")
    if url:
        return StreamableHttpTransport(url, headers=entry.get("headers") or entry.get("http_headers") or {})
    assert Path(entry["command"]).is_absolute()
    return StdioTransport(
        entry["command"], entry["args"], env=entry.get("env") or {}, cwd="/", log_file=Path(os.devnull)
    )


async def tools_of(entry: dict[str, Any]) -> list[str]:
    async with asyncio.timeout(scaled(60)):
        async with Client(transport_of(entry)) as client:
            return [tool.name for tool in await client.list_tools()]


@pytest.fixture(autouse=True)
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home and a project that are empty."""
    for name in ("PROMETHEUS_URL", "PROMETHEUS_TOKEN", "CODEX_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str], *given: str, code: int = 0) -> tuple[str, str]:
    ended = commands.main(["connect", *given])
    out, err = capsys.readouterr()
    assert ended == code, err
    return out, err


@pytest.mark.parametrize("client", CLIENTS)
async def test_X14_what_is_printed_starts(client: str, capsys: pytest.CaptureFixture[str]) -> None:
    text, _ = printed(capsys, client, "--stdio", "--server", "clock", "--no-test")
    assert await tools_of(read(client, text)["kmcp-clock"]) == ["datetime_get_current_time"]


@pytest.mark.parametrize("client", [name for name in CLIENTS if name != "claude-desktop"])
async def test_an_address_is_reached_and_tested(client: str, capsys: pytest.CaptureFixture[str]) -> None:
    instance = shelved()
    async with served(http_app("shelf", [instance], None)) as base:
        text, err = await asyncio.to_thread(printed, capsys, client, "--url", base)
        assert f"tested: kmcp: {len(instance.tools)} tools\n" in err
        assert sorted(await tools_of(read(client, text)["kmcp"])) == sorted(instance.tools)


async def test_X14_an_export_of_commands_starts_too(
    capsys: pytest.CaptureFixture[str], shell: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "one")
    assert commands.main(["catalog", "export", "claude-code", "--stdio"]) == 0
    servers = read("claude-code", capsys.readouterr().out)
    assert servers["kmcp-kubernetes"]["env"] == {"KUBECONFIG": f"{shell}/one"}
    assert await tools_of(servers["kmcp-clock"]) == ["datetime_get_current_time"]


def test_a_kubeconfig_is_named_by_absolute_paths(
    capsys: pytest.CaptureFixture[str], shell: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv("KUBECONFIG", "one:~/two")
    text, _ = printed(capsys, "claude-code", "--stdio", "--no-test")
    assert read("claude-code", text)["kmcp"]["env"]["KUBECONFIG"] == f"{shell}/one:{shell}/home/two"
    monkeypatch.delenv("KUBECONFIG")
    text, _ = printed(capsys, "claude-code", "--stdio", "--no-test")
    assert "env" not in read("claude-code", text)["kmcp"], "there is none"
    default = shell / "home/.kube/config"
    default.parent.mkdir(parents=True)
    default.touch()
    text, _ = printed(capsys, "claude-code", "--stdio", "--no-test")
    assert read("claude-code", text)["kmcp"]["env"]["KUBECONFIG"] == str(default)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_secret_is_referred_to_and_shown_only_when_asked(
    client: str, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.setenv("PROMETHEUS_TOKEN", SECRET)
    monkeypatch.setenv("PROMETHEUS_URL", f"http://user:{SECRET}@prometheus:9090")
    monkeypatch.setenv("KMCP_READ_ONLY", "true")
    given = (client, "--stdio", "--server", "prometheus", "--no-test")
    text, err = printed(capsys, *given)
    assert SECRET not in text + err
    entry = read(client, text)["kmcp-prometheus"]
    assert entry["env"]["KMCP_READ_ONLY"] == "true", "what restricts it here restricts it there"
    refers = "PROMETHEUS_TOKEN" in json.dumps(entry)
    assert refers or "--reveal" in err
    assert refers == (client not in ("claude-desktop", "zed"))
    text, _ = printed(capsys, *given, "--reveal")
    assert read(client, text)["kmcp-prometheus"]["env"]["PROMETHEUS_TOKEN"] == SECRET


@pytest.mark.parametrize("client", [name for name in CLIENTS if name not in ("claude-desktop", "zed")])
def test_a_bearer_token_is_named_not_written(client: str, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setenv("MINE", SECRET)
    given = (client, "--url", "https://kmcp.example.com", "--token-env", "MINE", "--no-test")
    text, err = printed(capsys, *given)
    assert "MINE" in text
    assert SECRET not in text + err
    assert SECRET in printed(capsys, *given, "--reveal")[0]


def test_a_client_that_only_starts_programs_gets_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: Any, shell: Path
) -> None:
    monkeypatch.setenv("PATH", str(shell))
    _, err = printed(capsys, "claude-desktop", "--url", "http://127.0.0.1:1/mcp", "--no-test", code=2)
    assert "use --stdio" in err
    npx = shell / "npx"
    npx.write_text("#!/bin/sh\n")
    npx.chmod(0o700)
    text, _ = printed(capsys, "claude-desktop", "--url", "http://127.0.0.1:1/mcp", "--no-test")
    assert read("claude-desktop", text)["kmcp"]["command"] == str(npx)


async def test_a_line_and_a_link_say_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    given = ("--stdio", "--server", "clock", "--no-test")
    for client, program in (("claude-code", "claude"), ("codex", "codex")):
        text, err = printed(capsys, client, *given)
        line = shlex.split(next(each for each in err.splitlines() if " or: " in each).partition(" or: ")[2])
        assert line[:3] == [program, "mcp", "add"]
        entry = read(client, text)["kmcp-clock"]
        assert line[line.index("--") + 1 :] == [entry["command"], *entry["args"]]
    text, err = printed(capsys, "vscode", *given)
    link = re.search(r"vscode:mcp/install\?(\S+)", err)
    assert link is not None
    assert json.loads(unquote(link[1])) == {"name": "kmcp-clock", **read("vscode", text)["kmcp-clock"]}
    text, err = printed(capsys, "cursor", *given)
    link = re.search(r"cursor://\S+", err)
    assert link is not None
    query = parse_qs(urlsplit(link[0]).query)
    assert query["name"] == ["kmcp-clock"]
    assert json.loads(base64.b64decode(query["config"][0])) == read("cursor", text)["kmcp-clock"]


BEFORE = {
    "zed": '// mine\n{\n  "a": 1, // dark\n  "context_servers": {\n    "other": {"command": "x"}, // keep\n  },\n}\n',
    "vscode": '{"servers": {"other": {"url": "http://o"}}, "inputs": [{"id": "a"} /* a */]}',
    "codex": '# mine\nmodel = "o" # best\n\n[mcp_servers.other] # theirs\ncommand = "x"\n',
}


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_file_keeps_what_others_wrote(client: str, shell: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = shell / "configuration"
    key = KEYS.get(client, "mcpServers")
    before = BEFORE.get(client, json.dumps({"a": 1, key: {"other": {"command": "x"}}}))
    file.write_text(before)
    file.chmod(0o640)
    given = (client, "--stdio", "--server", "clock", "--write", "--file", str(file), "--no-test")
    out, _ = printed(capsys, *given)
    text = file.read_text()
    after = tomllib.loads(text) if client == "codex" else jsonc.read(text)
    old = tomllib.loads(before) if client == "codex" else jsonc.read(before)
    assert set(after[key]) == {"other", "kmcp-clock"}
    assert after[key]["other"] == old[key]["other"]
    assert {name: each for name, each in after.items() if name != key} == {n: v for n, v in old.items() if n != key}
    for note in ("// mine", "// dark", "// keep", "/* a */", "# mine", "# best", "# theirs"):
        assert (note in text) == (note in before)
    assert file.stat().st_mode & 0o777 == 0o640
    assert (shell / "configuration.backup").read_text() == before
    assert f"before: {file}.backup" in out
    assert "nothing to change" in printed(capsys, *given)[0]
    assert not (shell / "configuration.backup1").exists()


@pytest.mark.parametrize("client", ["cursor", "codex"])
def test_a_file_keeps_its_line_breaks(client: str, shell: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = shell / "configuration"
    before = BEFORE.get(client, '{\n  "a": 1\n}\n').replace("\n", "\r\n").encode()
    file.write_bytes(before)
    given = (client, "--stdio", "--server", "clock", "--write", "--file", str(file), "--no-test")
    printed(capsys, *given)
    after = file.read_bytes()
    assert b"kmcp-clock" in after
    assert after.count(b"\n") == after.count(b"\r\n") > before.count(b"\n")
    assert (shell / "configuration.backup").read_bytes() == before
    assert "nothing to change" in printed(capsys, *given)[0]
    assert file.read_bytes() == after


@pytest.mark.parametrize("inputs", ["null", "5"])
def test_inputs_are_no_concern_of_a_client_that_does_not_ask(
    inputs: str, shell: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = shell / "configuration"
    for client in ("cursor", "vscode"):
        file.write_text(f'{{"inputs": {inputs}}}')
        printed(capsys, client, "--stdio", "--server", "clock", "--write", "--file", str(file), "--no-test")
        after = json.loads(file.read_text())
        assert after["inputs"] == json.loads(inputs)
        assert set(after[KEYS.get(client, "mcpServers")]) == {"kmcp-clock"}


@pytest.mark.parametrize("inputs", ["null", "5", '{"id": 1}'])
def test_inputs_that_are_no_list_are_left_alone(
    inputs: str, shell: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = shell / "configuration"
    file.write_text(f'{{"inputs": {inputs}}}')
    monkeypatch.setenv("PROMETHEUS_TOKEN", SECRET)
    given = ("vscode", "--stdio", "--server", "prometheus", "--write", "--file", str(file), "--no-test")
    assert "inputs must be a list" in printed(capsys, *given, code=2)[1]
    assert file.read_text() == f'{{"inputs": {inputs}}}'


@pytest.mark.parametrize("client", CLIENTS)
def test_a_file_that_is_not_there_is_made_where_the_client_looks(
    client: str, shell: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, _ = printed(capsys, client, "--stdio", "--server", "clock", "--write", "--no-test")
    file = Path(out.removeprefix("wrote ").strip())
    assert shell in file.parents
    assert file.stat().st_mode & 0o777 == 0o600
    assert set(read(client, file.read_text())) == {"kmcp-clock"}


@pytest.mark.parametrize(
    ("client", "text", "fault"),
    [
        ("cursor", '{"a": 1,\n b}', "line 2"),
        ("cursor", "[]", "must be an object"),
        ("cursor", '{"mcpServers": 3}', "mcpServers"),
        ("codex", "a = ", "Invalid value"),
        ("codex", "mcp_servers = 3", "mcp_servers"),
        ("cursor", '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested deeper"),
    ],
)
def test_a_file_that_cannot_be_read_is_left_alone(
    client: str, text: str, fault: str, shell: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = shell / "broken"
    file.write_text(text)
    given = (client, "--stdio", "--server", "clock", "--write", "--file", str(file), "--no-test")
    _, err = printed(capsys, *given, code=2)
    assert fault in err
    assert "--file" in err
    assert file.read_text() == text
    assert [each.name for each in shell.iterdir() if each.is_file()] == ["broken"]


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (("cursor", "--stdio", "--server", "clok"), "did you mean clock"),
        (("cursor", "--stdio", "--token-env", "X"), "name it with --url"),
        (("cursor", "--url", "http://h", "--token-env", "NOT_SET", "--reveal"), "NOT_SET is not set"),
        (("kagent", "--write"), "kubectl apply"),
    ],
)
def test_options_that_do_not_fit(given: tuple[str, ...], fault: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert fault in printed(capsys, *given, code=2)[1]


def test_what_a_client_starts_is_tried() -> None:
    command = [sys.executable, "-m", "kmcp_runtime.commands", "connect", "cursor", "--stdio", "--server", "clock"]
    ended = subprocess.run(command, check=True, capture_output=True, text=True, timeout=scaled(120))
    assert set(read("cursor", ended.stdout)) == {"kmcp-clock"}
    assert ended.stderr.splitlines()[-1] == "connect: tested: kmcp-clock: 1 tool"


def test_no_server_is_loaded_to_be_written_down() -> None:
    command = [sys.executable, "-c", _WITHOUT_SERVERS, "connect", "cursor", "--stdio", "--no-test"]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=scaled(60))
    assert ended.returncode == 0, ended.stderr
    assert set(read("cursor", ended.stdout)) == {"kmcp"}


def test_a_catalog_that_cannot_be_read_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, shell: Path
) -> None:
    file = shell / "catalog.yaml"
    monkeypatch.setattr(shipped, "catalog_file", lambda: file)
    assert "catalog.yaml" in printed(capsys, "cursor", "--stdio", "--no-test", code=2)[1]
    file.write_text("kind: Catalogue\n")
    assert "'Catalogue'" in printed(capsys, "cursor", "--stdio", "--no-test", code=2)[1]


def test_a_server_that_does_not_answer_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    _, err = printed(capsys, "cursor", "--url", "http://127.0.0.1:1/mcp", code=1)
    assert "tested: kmcp: not connected: " in err


@pytest.mark.parametrize("client", ["cursor", "kagent"])
def test_a_server_that_stays_silent_is_given_the_time_that_is_said(
    client: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/mcp"
        _, err = printed(capsys, client, "--url", url, "--timeout", "0.5", code=1)
    assert "not connected: no answer within 0.5 s" in err


def test_kagent_gets_a_resource(capsys: pytest.CaptureFixture[str]) -> None:
    text, err = printed(capsys, "kagent")
    body = yaml_text.read(text)
    assert (body["kind"], body["metadata"]) == (
        "RemoteMCPServer",
        {"name": "kagent-tool-server", "namespace": "kagent"},
    )
    assert body["spec"]["url"].endswith("/mcp?tools=all")
    assert body["spec"]["headersFrom"][0]["valueFrom"]["name"] == "kmcp-caller"
    assert "not tested" in err


@pytest.mark.parametrize(
    "words",
    [
        "connect cursor --stdio --no-test",
        "connect kagent --no-test",
        "catalog export docker",
        "catalog export codex --stdio",
        f"plan -f {ROOT}/examples/manifests/depot.yaml",
        "--help",
        "serve clock --help",
    ],
)
def test_X15_a_reader_who_has_seen_enough_ends_it_quietly(words: str) -> None:
    """Whatever is printed, and whatever errors the command reports by itself: `| head` closes the pipe at once."""
    command = [sys.executable, "-c", _CLOSED, *words.split()]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=scaled(60))
    assert ended.returncode == 141, ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Broken pipe" not in ended.stderr


_WITHOUT_SERVERS = """
import sys
from kmcp_runtime import commands, distributions
for point in distributions.server_points().values():
    if distributions.is_own(point):
        sys.modules[point.module] = None  # as where a library of an extra is absent: it cannot be imported
sys.exit(commands.main(sys.argv[1:]))
"""

_CLOSED = """
import os, sys
reading, writing = os.pipe()
os.close(reading)
os.dup2(writing, 1)
from kmcp_runtime import commands
sys.exit(commands.main(sys.argv[1:]))
"""
