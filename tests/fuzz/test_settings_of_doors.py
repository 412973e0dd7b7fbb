"""What the settings of the Kubernetes server let through: commands without a question, and paths of probes (D4)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from kmcp_kubernetes.settings import KubernetesSettings
from tests.fuzz.cluster_standin import StandIn
from tests.fuzz.hostile_answers import mood_of
from tests.fuzz.worlds import world
from tests.mcp import ToolCaller

NAMED = {"name": "web", "namespace": "default", "uid": "1", "resourceVersion": "1"}
CORE = "/api/v1/namespaces/default"
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": NAMED,
    "spec": {"containers": [{"name": "main"}]},
    "status": {"phase": "Running", "containerStatuses": [{"name": "main", "state": {"running": {}}}]},
}
SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": NAMED, "spec": {"ports": [{"port": 80}]}}
SLICE = {
    "metadata": NAMED,
    "addressType": "IPv4",
    "ports": [{"port": 80, "protocol": "TCP"}],
    "endpoints": [{"addresses": ["10.0.0.2"], "conditions": {"ready": True}}],
}
SLICES = {"kind": "EndpointSliceList", "apiVersion": "discovery.k8s.io/v1", "metadata": {}, "items": [SLICE]}
PROXY = f"{CORE}/services/http:web:80/proxy"
GOOD = next(seed for seed in range(100) if mood_of(seed) == "valid")


@asynccontextmanager
async def kubernetes(folder: Path, own: dict[str, Any], **runtime: Any) -> AsyncIterator[tuple[ToolCaller, StandIn]]:
    """The server under these settings before an API server with a pod and a Service."""
    async with world("kubernetes", folder, own=own, **{"approval": "plan", **runtime}) as found:
        assert isinstance(found.standin, StandIn)
        found.standin.seed = GOOD
        found.standin.printed["-"] = ""
        found.standin.fixed |= {
            f"{CORE}/pods/web": POD,
            f"{CORE}/services/web": SERVICE,
            "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices": SLICES,
        }
        yield ToolCaller(found.client), found.standin


FREE = {"approval_free_commands": "ls, df -h, nginx -t, env, /bin/sh -c id"}


@pytest.mark.parametrize(
    "command",
    [
        ["ls"],
        ["ls", "-l", "/"],
        "ls -l",
        ["df", "-h"],
        ["df", "-h", "/var"],
        ["nginx", "-t", "-c", "x"],
        ["env"],
        ["/bin/sh", "-c", "id"],
    ],
    ids=str,
)
async def test_a_command_that_begins_so_is_not_asked(command: Any, tmp_path: Path) -> None:
    async with kubernetes(tmp_path, FREE) as (tools, standin):
        await tools.ok("k8s_execute_command", pod_name="web", namespace="default", command=command)
    words = command.split() if isinstance(command, str) else command
    assert standin.sent == [" ".join(["EXEC", *words])]


ASKED = (
    "lsof",
    "ls-files",
    "/bin/ls",
    "LS",
    "df",
    "df -i",
    "df -h/",
    "nginx",
    "nginx -s stop",
    "env ls",
    ["env", "sh", "-c", "echo gone > /tmp/x"],
    ["/bin/sh", "-c", "id", "x"],
    "rm ls",
    ["ls -l"],
    ["sh", "-c", "ls"],
    ["sh", "-c", "rm -r /data"],
)


@pytest.mark.parametrize("own", [FREE, {}], ids=["free", "none"])
async def test_any_other_command_is_asked_before_it_runs(own: dict[str, Any], tmp_path: Path) -> None:
    async with kubernetes(tmp_path, own) as (tools, standin):
        for command in ASKED:
            call = {"pod_name": "web", "namespace": "default", "command": command}
            error = await tools.fails("k8s_execute_command", **call)
            assert error["code"] == "approval_required", command
            (loss,) = error["plan"]["destroys"]
            assert loss.startswith("runs a command in pod default/web: ")
            assert standin.sent == []
            await tools.ok("k8s_execute_command", **call, approval=error["approval"])
            assert len(standin.sent) == 1
            standin.sent.clear()


def test_an_open_quote_is_a_fault_of_the_setting() -> None:
    with pytest.raises(ValidationError, match="No closing quotation"):
        KubernetesSettings(approval_free_commands="ls, sh -c 'x")


@pytest.mark.parametrize("path", ["/", "/healthz", "/a/b?c=d"])
async def test_D4_a_read_only_server_asks_for_the_paths_that_are_named(path: str, tmp_path: Path) -> None:
    async with kubernetes(tmp_path, {"probe_paths": "/healthz, /a/b?c=d"}, read_only=True) as (tools, standin):
        await tools.ok("k8s_check_service_connectivity", service_name="web", namespace="default", path=path)
    assert PROXY + path in standin.asked


@pytest.mark.parametrize(
    "path", ["/healthz/", "/healthz?x=1", "/Healthz", "/admin/delete?id=1", "healthz", "/a/b", "//"]
)
async def test_D4_a_read_only_server_asks_for_no_other_path(path: str, tmp_path: Path) -> None:
    own = {"probe_paths": "/healthz, /a/b?c=d"}
    call = {"service_name": "web", "namespace": "default", "path": path}
    async with kubernetes(tmp_path, own, read_only=True) as (tools, standin):
        error = await tools.fails("k8s_check_service_connectivity", **call)
        assert error["code"] in ("denied", "bad_argument")
        assert not [asked for asked in standin.asked if "/proxy" in asked]


async def test_a_server_that_may_change_asks_for_any_path(tmp_path: Path) -> None:
    async with kubernetes(tmp_path, {}) as (tools, standin):
        call = {"service_name": "web", "namespace": "default", "path": "/admin?id=1"}
        await tools.ok("k8s_check_service_connectivity", **call)
    assert f"{PROXY}/admin?id=1" in standin.asked
