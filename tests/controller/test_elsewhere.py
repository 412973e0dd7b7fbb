"""RemoteMCPServers on a laptop: `up` asks them, shows them, and has them behind the door as other foreign ones."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastmcp import Client, FastMCP
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from kmcp_controller.cli.manifests import read_manifests
from kmcp_controller.local.elsewhere import Elsewhere
from kmcp_runtime import ERROR_META, publish
from kmcp_runtime.catalog import Catalog, dump
from tests.controller.clock_suite import environment
from tests.controller.test_local import Up, running
from tests.installed import SUITE
from tests.ports import free_ports, suite_flags
from tests.serving import served
from tests.waiting import until

TOKEN = "Bearer kept-in-a-folder-7f3a"


def remote(name: str, url: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "kagent.dev/v1alpha2",
        "kind": "RemoteMCPServer",
        "metadata": {"name": name},
        "spec": {"url": url, "description": "far away", **spec},
    }


def secret_header(of: str = "far", kind: str = "Secret") -> list[dict[str, Any]]:
    return [{"name": "Authorization", "valueFrom": {"type": kind, "name": of, "key": "token"}}]


class Guarded:
    """An application for whoever sends the token."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (b"authorization", TOKEN.encode()) not in scope["headers"]:
            await PlainTextResponse("who is it?\n", 401)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def far_away() -> ASGIApp:
    mcp: FastMCP[Any] = FastMCP("far")

    @mcp.tool(annotations={"readOnlyHint": True})
    async def greet() -> str:
        """Greet."""
        return "hello from far away"

    return Guarded(mcp.http_app(path="/mcp"))


async def test_a_remote_server_of_a_manifest_is_behind_the_door(tmp_path: Path) -> None:
    whole = publish.catalog()
    clock = Catalog(name=whole.name, version=whole.version, servers={"kmcp-clock": whole.servers["kmcp-clock"]})
    (tmp_path / "catalog.yaml").write_text(dump(clock))
    manifests, secret = tmp_path / "manifests", tmp_path / "secrets" / "far"
    manifests.mkdir()
    secret.mkdir(parents=True)
    (secret / "token").write_text(f"{TOKEN}\n")
    ports = free_ports(4)
    async with served(far_away(), lifespan="on") as url:
        there = remote("far", f"{url}/mcp", headersFrom=secret_header())
        nowhere = remote("gone", f"http://127.0.0.1:{ports[3]}/mcp", headersFrom=[{"name": "X-Team", "value": "café"}])
        (manifests / "remote.yaml").write_text(yaml.safe_dump_all([there, nowhere, remote("odd", "ftp://x")]))
        folders = ["--manifests", str(manifests), "--secrets", str(secret.parent)]
        argv = [SUITE, "up", "--catalog", str(tmp_path / "catalog.yaml"), *folders, *suite_flags(ports[:3])]
        with running(argv, environment(tmp_path), ports[:3], tmp_path) as up:
            await up.settled()
            found = await _listed(up)
            ready = {name: _ready(server) for name, server in found.items()}
            assert ready["far"] == ("True", f"answers at {url}/mcp")
            assert ready["gone"][0] == ready["odd"][0] == "False"
            assert "is not an address" in ready["odd"][1]
            assert TOKEN not in json.dumps(found)
            await _is_asked_about(f"http://127.0.0.1:{ports[0]}/mcp?tools=all")
            assert "far: 1 tool, Ready" in up.errors() + up.printed()


async def _listed(up: Up) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        found = await up.servers()
        return found if found.get("far", {}).get("tools") and "gone" in found else None

    found = await until(look, what="the tools of the server elsewhere")
    assert found is not None
    return found


def _ready(server: dict[str, Any]) -> tuple[str, str]:
    (found,) = (each for each in server["conditions"] if each["type"] == "Ready")
    return found["status"], found["message"]


async def _is_asked_about(url: str) -> None:
    """What it says of its tool vouches for nothing: a call needs a yes, and with it goes through."""

    async def look() -> bool:
        async with Client(url) as client:
            return "far_greet" in {tool.name for tool in await client.list_tools()}

    await until(look, what="the tool behind the door")
    async with Client(url) as client:
        refused = await client.call_tool("far_greet", {}, raise_on_error=False)
        assert refused.meta is not None
        body = refused.meta[ERROR_META]
        assert body["code"] == "approval_required"
        answer = await client.call_tool("far_greet", {"approval": body["approval"]})
        assert "hello from far away" in str(answer.content)


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ({"headersFrom": secret_header("absent")}, "Secret absent is not on this machine"),
        ({"headersFrom": secret_header("../far")}, "is not on this machine"),
        ({"headersFrom": secret_header(kind="ConfigMap")}, "ConfigMap far is not on this machine"),
        ({"protocol": "SSE"}, "is SSE"),
        ({"tls": {"insecureSkipVerify": True}}, "is read in a cluster only"),
        ({"url": "https://user:secret@far/mcp"}, "contains credentials"),
        ({"url": "https://far.example/mcp?token=0b5f7c1e9a4d4e6f8a2b3c4d5e6f7a8b"}, "holds what looks like a secret"),
        ({"timeout": "soon"}, "soon"),
    ],
)
def test_one_that_cannot_be_asked_here_says_why(spec: dict[str, Any], fault: str, tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    body = remote("far", **{"url": "https://far.example/mcp", **spec})
    found = Elsewhere.of(body, tmp_path / "secrets")
    found.update()
    assert found.is_settled
    assert found.spec is None
    assert fault in _ready({"conditions": found.conditions})[1]
    assert not re.search("user:secret|0b5f7c1e9a4d", json.dumps(found.live().conditions))


def test_only_who_asks_for_them_reads_them(tmp_path: Path) -> None:
    file = tmp_path / "remote.yaml"
    file.write_text(yaml.safe_dump(remote("far", "https://far.example/mcp")))
    assert read_manifests([str(file)]).elsewhere == []
    assert "not of kind MCPServer" in read_manifests([str(file)]).notes[0]
    read = read_manifests([str(file)], elsewhere=True)
    assert [document.data["metadata"]["name"] for document in read.elsewhere] == ["far"]
    assert read.notes == []
