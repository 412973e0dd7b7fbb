"""`kmcp-suite up` with the suite's own servers, as `make up` runs it."""

import os
import plistlib
import re
import sys
from pathlib import Path

import httpx2
import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport

from kmcp_controller.catalog.live_document import LiveDocument
from kmcp_controller.cli.instances import logs
from kmcp_controller.cli.up import up
from kmcp_controller.local.instances import State
from kmcp_controller.local.suite import Options, Suite
from kmcp_controller.local.up import http_connections
from kmcp_controller.spec.model import API_VERSION, KIND
from kmcp_runtime import publish
from kmcp_runtime.catalog import Catalog, ServerEntry, Transport, dump
from tests.controller.test_local import OLDER, STDIO, conditions, running
from tests.installed import SUITE, program
from tests.ports import free_ports, suite_flags
from tests.waiting import until

ROCKET = "deploy-\U0001f680"
# By the name of one of the suite's own servers, and with names of tools that some readers refuse.
ODD = f"""
apiVersion: kagent.dev/v1alpha1
kind: MCPServer
metadata: {{name: kubernetes}}
spec:
  transportType: stdio
  deployment:
    image: example.com/odd:1
    cmd: {sys.executable}
    args: [{OLDER}, "2025-03-26", "{ROCKET}", {"x" * 1100}, plain]
"""


async def test_without_a_cluster_the_suite_is_listed_with_what_to_set(tmp_path: Path) -> None:
    catalog = tmp_path / "catalog.yaml"
    catalog.write_text(dump(publish.catalog()))
    ports = free_ports(3)
    manifests = tmp_path / "manifests"
    manifests.mkdir()
    (manifests / "older.yaml").write_text(STDIO)
    (manifests / "odd.yaml").write_text(ODD)
    flags = ["--catalog", str(catalog), "--manifests", str(manifests), *suite_flags(ports)]
    argv = [SUITE, "up", *flags]
    env = {key: value for key, value in os.environ.items() if not key.startswith("KUBE")} | {"HOME": str(tmp_path)}
    with running(argv, env, ports, tmp_path) as suite:
        server = (await suite.settled())["kmcp-kubernetes"]
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{ports[1]}", trust_env=False) as http:
            for path in ("/healthz", "/readyz", "/metrics"):
                rebound = await http.get(path, headers={"Host": "rebound.example"})
                assert rebound.status_code == 421
                assert "KMCP_ALLOWED_HOSTS" in rebound.text
            assert (await http.get("/metrics")).status_code == 200
        async with Client(f"http://127.0.0.1:{ports[0]}/kubernetes/mcp") as client:
            over_http = {tool.name for tool in await client.list_tools()}
        async with Client(f"http://127.0.0.1:{ports[0]}/mcp?tools=all") as client:

            async def behind_the_door() -> set[str]:
                return {tool.name for tool in await client.list_tools()} & {"older_four", "older_two", "older_one"}

            assert await until(behind_the_door, what="the door") == {"older_four", "older_two"}
            answer = await client.call_tool("older_four", {}, raise_on_error=False)
            assert "approval_required" in str(answer.content)  # it says nothing of what it does

            async def odd() -> list[str]:
                return [tool.title for tool in await client.list_tools() if tool.name.startswith("local-kubernetes_")]

            assert sorted(await until(odd, what="the odd one"), key=len) == [
                "local-kubernetes: plain",
                f"local-kubernetes: {ROCKET}",
            ]
    assert suite.process.returncode == 0, suite.errors()
    states = conditions(server)
    assert states["Ready"] == ("False", "NotAvailable")
    assert "set KUBECONFIG" in server["message"]
    assert states["CatalogMatched"] == ("True", "Matched"), server["conditions"]
    assert {tool["name"] for tool in server["tools"]} == over_http
    async with Client(
        StdioTransport(program("kmcp-kubernetes"), ["--transport", "stdio"], env=env, keep_alive=False)
    ) as client:
        assert {tool.name for tool in await client.list_tools()} == over_http


@pytest.mark.parametrize("unit", ["systemd", "launchd"])
def test_the_folders_of_a_unit_are_absolute(
    unit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    given = ["--catalog=own.yaml", "--port", "8090", "--manifests", "servers", "--secrets", "secrets", "--detach"]
    assert up([*given, "--unit", unit]) == 0
    text = capfd.readouterr().out
    words = re.findall(r'"([^"]*)"', text) if unit == "systemd" else plistlib.loads(text.encode())["ProgramArguments"]
    begin, end = words.index("up") + 1, words.index("up") + 9
    paths = {"--catalog": "own.yaml", "--manifests": "servers", "--secrets": "secrets"}
    absolute = [word for flag, path in paths.items() for word in (flag, f"{tmp_path}/{path}")]
    assert words[begin:end] == ["--port", "8090", *absolute]


def test_an_address_of_ipv6_stands_in_brackets(tmp_path: Path) -> None:
    """Wherever the suite's addresses are written, and those of the servers behind the bridge."""
    stdio = {"transportType": "stdio", "deployment": {"image": "example.com/a:1", "cmd": sys.executable}}
    manifest = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "other"}, "spec": stdio}
    entry = ServerEntry(title="Some", description="Some.", transport=Transport(port=9000), tools=())
    catalog = Catalog(name="test", version="1.0.0", servers={"kmcp-some": entry})
    options = Options(host="::1")
    suite = Suite(catalog, [manifest], options, LiveDocument(), print)
    suite.prepare(tmp_path)
    (some, other) = suite.servers
    assert (some.url, some.management) == ("http://[::1]:8080/some/mcp", "http://[::1]:8081")
    assert re.fullmatch(r"http://\[::1\]:\d+/mcp", other.url), other.unavailable
    assert re.fullmatch(r"http://\[::1\]:\d+", other.management)
    assert [each.url for each in http_connections(suite)] == [some.url, other.url]
    assert State(1, "1", "", options.host, options.port, options.catalog_port).catalog == "http://[::1]:8082"


@pytest.mark.parametrize("lines", ["-5", "1.5", "many", "²"])
def test_a_number_of_log_lines_is_not_negative(lines: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        logs([f"--lines={lines}"])
    assert ended.value.code == 2
    assert f"'{lines}' is not a number of lines; use 0 or more" in capfd.readouterr().err


def test_up_says_what_is_wrong_with_its_catalog(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert up(["--catalog", str(tmp_path / "absent.yaml")]) == 1
    (tmp_path / "catalog.yaml").write_text("kind: Catalogue\n")
    assert up(["--catalog", str(tmp_path / "catalog.yaml")]) == 1
    printed = capfd.readouterr().err
    assert "absent.yaml" in printed
    assert "catalog.yaml:1: kind: 'Catalogue' is not one of 'Catalog'" in printed
