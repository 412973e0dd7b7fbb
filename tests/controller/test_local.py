"""`kmcp-suite up` for real: processes, kill -9, Ctrl-C, used ports, absent backends, foreign manifests."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastmcp import Client

from kmcp_runtime.catalog import Catalog, Effect, ServerEntry, ToolEntry, Transport, dump
from tests.ports import free_ports
from tests.slowness import scaled
from tests.waiting import until

PROGRAMS = Path(__file__).parent / "programs"
ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "servers")])}
ARGUMENTS = {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]}
RESULT = {
    "type": "object",
    "properties": {"result": {"type": "string"}},
    "required": ["result"],
    "x-fastmcp-wrap-result": True,
}


def catalog_of(*names: str) -> str:
    def entry(name: str) -> ServerEntry:
        tool = ToolEntry(
            name=f"{name}_process",
            title="Process",
            description="Say which process answers.",
            effect=Effect.READ,
            input_schema={**ARGUMENTS, "additionalProperties": False},
            output_schema=RESULT,
            annotations={"readOnlyHint": True, "destructiveHint": False},
        )
        return ServerEntry(title=name, description=name, transport=Transport(port=9000), tools=(tool,))

    return dump(Catalog(name="test", version="1.0.0", servers={f"kmcp-{name}": entry(name) for name in names}))


@dataclass
class Up:
    process: subprocess.Popen[str]
    ports: list[int]
    folder: Path

    @property
    def page(self) -> str:
        return f"http://127.0.0.1:{self.ports[2]}"

    async def servers(self) -> dict[str, Any]:
        async with httpx2.AsyncClient(trust_env=False) as http:
            try:
                answer = await http.get(f"{self.page}/catalog.json")
            except httpx2.TransportError:
                assert self.process.poll() is None, self.errors()
                return {}
        return {server["name"]: server for server in answer.json()["servers"]}

    def errors(self) -> str:
        return (self.folder / "err").read_text()

    def printed(self) -> str:
        return (self.folder / "out").read_text()

    async def settled(self) -> dict[str, Any]:
        """Once every server that can run has its tools, and the greeting is printed."""

        async def look() -> bool:
            assert self.process.poll() is None, self.errors()
            return "Ctrl-C ends it." in self.printed()

        await until(look, what="greeting")
        return await self.servers()


@contextmanager
def running(argv: list[str], env: dict[str, str], ports: list[int], folder: Path) -> Iterator[Up]:
    """`up` as a process of its own, ended when the test is."""
    with (folder / "out").open("w") as out, (folder / "err").open("w") as err:
        process = subprocess.Popen(argv, stdout=out, stderr=err, text=True, env=env, start_new_session=True)
        try:
            yield Up(process, ports, folder)
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(timeout=scaled(30))


@contextmanager
def started(folder: Path, *folders: Path, names: tuple[str, ...] = ("present", "absent")) -> Iterator[Up]:
    ports = free_ports(3)
    env = {**ENVIRONMENT, "TMPDIR": str(folder)}
    with running(program(folder, names, ports, *folders), env, ports, folder) as up:
        yield up


def program(folder: Path, names: tuple[str, ...], ports: list[int], *folders: Path) -> list[str]:
    catalog = folder / "catalog.yaml"
    catalog.write_text(catalog_of(*names))
    return [sys.executable, str(PROGRAMS / "up.py"), str(catalog), *map(str, ports), *map(str, folders)]


@pytest.fixture(scope="module")
async def steady(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Up]:
    """As `up`, but one for all tests of the file that only look at it."""
    with started(tmp_path_factory.mktemp("up")) as up:
        await up.settled()
        yield up


@pytest.fixture
async def up(tmp_path: Path) -> AsyncIterator[Up]:
    with started(tmp_path) as up:
        await up.settled()
        yield up


async def answering_pid(up: Up) -> int | None:
    """The process that answers a tool call, None while nobody does."""
    try:
        async with Client(f"http://127.0.0.1:{up.ports[0]}/present/mcp") as client:
            result = await client.call_tool("present_process", {"word": "pid"})
    except (OSError, RuntimeError, httpx2.HTTPError):
        return None
    return int(str(result.data).removeprefix("pid "))


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and waits for its parent does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def conditions(server: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {each["type"]: (each["status"], each["reason"]) for each in server["conditions"]}


async def test_everything_that_can_run_runs(steady: Up) -> None:
    servers = await steady.servers()
    present, absent = servers["kmcp-present"], servers["kmcp-absent"]
    assert conditions(present) == {
        "Accepted": ("True", "Accepted"),
        "ResolvedRefs": ("True", "ResolvedRefs"),
        "Programmed": ("True", "Programmed"),
        "Ready": ("True", "Available"),
        "ToolsDiscovered": ("True", "Discovered"),
        "CatalogMatched": ("True", "Matched"),
    }
    assert (absent["ready"], absent["reason"]) == (False, "NotAvailable")
    assert absent["message"] == "backend: no cluster; set KUBECONFIG"
    assert [tool["name"] for tool in absent["tools"]] == ["absent_process"]
    programmed = next(each for each in present["conditions"] if each["type"] == "Programmed")
    assert programmed["message"] == "runs on this machine; ignored here: ServiceAccount"
    assert "kmcp-absent: 1 tool, Ready=False NotAvailable: backend: no cluster; set KUBECONFIG" in steady.errors()


async def test_the_pages(steady: Up) -> None:
    async with httpx2.AsyncClient(trust_env=False, base_url=steady.page) as http:
        page = await http.get("/")
        assert "kmcp-absent" in page.text
        assert "backend: no cluster; set KUBECONFIG" in page.text
        assert page.text.count("<script") == 1
        assert page.headers["content-security-policy"].startswith(
            "default-src 'none'; style-src 'self'; script-src 'self';"
        )
        assert "present_process" not in (await http.get("/", params={"q": "absent"})).text.partition("Connect")[0]
        assert (await http.get("/healthz")).status_code == 200
        one = await http.get("/catalog/local/kmcp-present.json")
        assert one.json()["tools"][0]["effect"] == "read"
        again = await http.get("/catalog/local/kmcp-present.json", headers={"If-None-Match": one.headers["etag"]})
        assert again.status_code == 304
        assert (await http.get("/catalog/local/other.json")).status_code == 404
        assert (await http.get("/", headers={"Host": "rebound.example"})).status_code == 400


async def test_exports_parse_and_lead_to_the_servers(steady: Up) -> None:
    url = f"http://127.0.0.1:{steady.ports[0]}/present/mcp"
    async with httpx2.AsyncClient(trust_env=False, base_url=steady.page) as http:
        code = (await http.get("/export/claude-code")).json()
        assert code["mcpServers"]["kmcp-present"] == {"type": "http", "url": url}
        assert (await http.get("/export/cursor")).json()["mcpServers"]["kmcp-present"] == {"url": url}
        assert (await http.get("/export/vscode")).json()["servers"]["kmcp-present"] == {"type": "http", "url": url}
        stdio = (await http.get("/export/claude-desktop", params={"transport": "stdio"})).json()
        assert stdio["mcpServers"]["kmcp-present"]["args"][-2:] == ["--transport", "stdio"]
        assert (await http.get("/export/other")).status_code == 404
    blocks = [part.partition(":\n")[2] for part in steady.printed().split("\n\n")[1:-1]]
    assert [next(iter(json.loads(block))) for block in blocks] == ["mcpServers", "servers", "mcpServers", "mcpServers"]


async def test_kill_9_is_repaired(up: Up) -> None:
    first = await until(lambda: answering_pid(up), what="an answer")
    assert first is not None
    os.kill(first, signal.SIGKILL)
    second = await until(lambda: answering_pid(up), lambda pid: pid not in (None, first), what="another process")
    assert second != first
    await until(up.servers, lambda found: bool(found) and found["kmcp-present"]["ready"], what="Ready")
    assert "killed by SIGKILL" in up.errors()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
async def test_no_process_is_left(up: Up, number: signal.Signals) -> None:
    if number is signal.SIGKILL and sys.platform != "linux":
        pytest.skip("only Linux ends a child with its parent")
    child = await until(lambda: answering_pid(up), what="an answer")
    assert child is not None
    up.process.send_signal(number)
    code = up.process.wait(timeout=scaled(30))
    assert code == (0 if number is not signal.SIGKILL else -signal.SIGKILL), up.errors()

    async def gone() -> bool:
        return not alive(child)

    await until(gone, seconds=20, what="the end of the child")


@pytest.mark.parametrize(("index", "option"), [(0, "--port"), (1, "--management-port"), (2, "--catalog-port")])
def test_a_used_port_says_so_before_anything_starts(tmp_path: Path, index: int, option: str) -> None:
    ports = free_ports(3)
    with socket.create_server(("127.0.0.1", ports[index])):
        argv = program(tmp_path, ("present",), ports)
        ended = subprocess.run(argv, capture_output=True, text=True, timeout=scaled(60), check=False, env=ENVIRONMENT)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.splitlines() == [
        f"kmcp-suite up: port {ports[index]} on 127.0.0.1 cannot be used (address already in use): "
        f"stop the program that listens there, or choose another port with {option}"
    ]


FOREIGN = """
apiVersion: kagent.dev/v1alpha1
kind: MCPServer
metadata: {name: NAME}
spec: {transportType: TRANSPORT, deployment: {image: IMAGE, cmd: CMD}}
"""


def manifests(folder: Path, **servers: tuple[str, str]) -> Path:
    folder.mkdir()
    for name, (transport, image) in servers.items():
        text = FOREIGN.replace("NAME", name).replace("TRANSPORT", transport).replace("IMAGE", image)
        (folder / f"{name}.yaml").write_text(text.replace("CMD", "no-such-command"))
    return folder


async def test_what_cannot_run_here_is_listed_with_the_reason(tmp_path: Path) -> None:
    folder = manifests(
        tmp_path / "manifests",
        over_stdio=("stdio", "example.com/a"),
        stdio=("stdio", "example.com/a"),
        foreign=("http", "example.com/b:1"),
        uninstalled=("http", "localhost/kmcp/kmcp-vault:1"),
        faulty=("sse", "example.com/c"),
    )
    with started(tmp_path, folder, names=("present",)) as up:
        servers = await up.settled()
    ready = {name: (server["reason"], server["message"]) for name, server in servers.items()}
    assert ready["kmcp-present"][0] == "Available"
    assert ready["stdio"] == (
        "NotAvailable",
        "the command no-such-command is not installed on this machine; install it",
    )
    assert ready["foreign"][0] == "NotAvailable"
    assert "example.com/b is not a suite image" in ready["foreign"][1]
    assert ready["uninstalled"][1].startswith("the script kmcp-vault is not installed")
    assert conditions(servers["faulty"])["Accepted"] == ("False", "UnsupportedTransport")
    assert "becomes a Service name" in servers["over_stdio"]["conditions"][0]["message"]


OLDER = ROOT / "tests/bridge/programs/older.py"
STDIO = f"""
apiVersion: kagent.dev/v1alpha1
kind: MCPServer
metadata:
  name: older
  annotations: {{kmcp-suite/extensions: '{{tools: [two, four]}}'}}
spec:
  transportType: stdio
  deployment: {{image: example.com/older:1, cmd: {sys.executable}, args: [{OLDER}]}}
"""


async def test_what_is_long_in_coming_is_named_meanwhile(tmp_path: Path) -> None:
    folder = tmp_path / "manifests"
    folder.mkdir()
    (folder / "silent.yaml").write_text("""
apiVersion: kagent.dev/v1alpha1
kind: MCPServer
metadata: {name: silent}
spec:
  transportType: stdio
  deployment: {image: "example.com/silent:1", cmd: sleep, args: ["600"]}
""")
    with started(tmp_path, folder, names=("present",)) as up:

        async def told() -> bool:
            assert up.process.poll() is None, up.errors()
            return "up: waiting for silent (" in up.errors()

        await until(told, what="a sign of life")


async def test_a_stdio_server_runs_behind_the_bridge(tmp_path: Path) -> None:
    folder = tmp_path / "manifests"
    folder.mkdir()
    (folder / "older.yaml").write_text(STDIO)
    with started(tmp_path, folder, names=("present",)) as up:
        server = (await up.settled())["older"]
        assert server["reason"] == "Available", up.errors()
        assert [tool["name"] for tool in server["tools"]] == ["four", "two"]
        async with Client(server["url"]) as client:
            assert '"name": "four"' in str((await client.call_tool("four", {})).content)


SCRIPT = f"""#!{sys.executable}
import os, runpy, sys
os.environ["SCRIPT_TOKEN"]
sys.argv[1:1] = ["present"]
runpy.run_path("{PROGRAMS / "serve.py"}", run_name="__main__")
"""


async def test_a_secret_comes_from_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "manifests"
    folder.mkdir()
    for name, secret in (("kmcp-present", "held"), ("kmcp-other", "missing")):
        (folder / f"{name}.yaml").write_text(f"""
apiVersion: kagent.dev/v1alpha1
kind: MCPServer
metadata: {{name: {name}}}
spec:
  transportType: http
  httpTransport: {{path: /present/mcp}}
  deployment: {{image: "localhost/kmcp/kmcp-scripted:1", secretRefs: [{{name: {secret}}}]}}
""")
    script = tmp_path / "scripts" / "kmcp-scripted"
    script.parent.mkdir()
    script.write_text(SCRIPT)
    script.chmod(0o755)
    secrets = tmp_path / "secrets"
    (secrets / "held").mkdir(parents=True)
    (secrets / "held" / "SCRIPT_TOKEN").write_text("from-the-folder\n")
    with started(tmp_path, folder, secrets, names=("present",)) as up:
        servers = await up.settled()
    present, other = servers["kmcp-present"], servers["kmcp-other"]
    assert present["reason"] == "Available", up.errors()
    assert present["url"] != f"http://127.0.0.1:{up.ports[0]}/present/mcp"
    assert conditions(other)["ResolvedRefs"] == ("False", "SecretNotFound")
    assert other["message"] == "Secret missing not found"
    assert "from-the-folder" not in json.dumps(servers) + up.errors() + up.printed()
