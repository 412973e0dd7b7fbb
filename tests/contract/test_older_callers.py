"""Arguments of older callers: what the kagent project's tools of these names publish is taken, renamed or ignored.

`older_arguments.json` lists, for each of those tools, the arguments that its newest version publishes.
"""

import json
from pathlib import Path

import pytest
from fastmcp import Client

from kmcp_runtime import Server
from kmcp_runtime.engine.assembly import assemble
from tests.contract.test_tools import servers
from tests.mcp import ToolCaller

OLDER: dict[str, list[str]] = json.loads(Path(__file__).with_name("older_arguments.json").read_text())
NEVER = "xyzzy"
"""An argument of no tool, so that no call gets further than its arguments."""


@pytest.mark.parametrize("server", servers(), ids=lambda server: server.name)
async def test_every_argument_is_known(server: Server) -> None:
    names = {name for declared in server.tools() for name in (declared.name, *declared.aliases)}
    async with Client(assemble(server)) as client:
        caller = ToolCaller(client)
        for tool in sorted(names & OLDER.keys()):
            error = await caller.fails(tool, **{name: {"odd": 1} for name in (*OLDER[tool], NEVER)})
            unknown = [name for name in (*OLDER[tool], NEVER) if f"unknown argument {name!r}" in error["message"]]
            assert (error["code"], unknown) == ("bad_argument", [NEVER]), error


def test_every_tool_is_there() -> None:
    names = {name for server in servers() for declared in server.tools() for name in (declared.name, *declared.aliases)}
    assert names >= OLDER.keys()
    assert len(OLDER) == 113


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("argo_check_plugin_logs", {"timeout": "30"}),
        ("cilium_get_endpoint_details", {"endpoint_id": "1", "output_format": "json"}),
        ("cilium_validate_cilium_network_policies", {"enable_k8s": "true"}),
        ("cilium_manage_endpoint_config", {"endpoint_id": "1", "config": "Debug=true"}),
        (
            "cilium_update_service",
            {"id": "1", "frontend": "a", "backends": "10.0.0.1:80", "backend_weights": "100,50", "states": "active"},
        ),
    ],
)
async def test_values_as_text_are_taken(tool: str, arguments: dict[str, str]) -> None:
    (server,) = [server for server in servers() if tool in {declared.name for declared in server.tools()}]
    async with Client(assemble(server)) as client:
        error = await ToolCaller(client).fails(tool, **arguments, **{NEVER: 1})
    faults = [fault for fault in error["message"].split("; ") if not fault.startswith("frontend: 'a'")]
    assert faults == [f"unknown argument {NEVER!r}"]


@pytest.mark.parametrize(
    ("tool", "given", "meant"),
    [
        ("helm_upgrade", "release_name", "name"),
        ("helm_upgrade", "release", "name"),
        ("helm_upgrade", "chart_name", "chart"),
        ("helm_upgrade", "chart_version", "version"),
        ("helm_upgrade", "namspace", "namespace"),
        ("k8s_get_pod_logs", "pod", "pod_name"),
        ("k8s_get_pod_logs", "podName", "pod_name"),
        ("argo_promote_rollout", "name", "rollout_name"),
    ],
)
async def test_a_wrong_argument_leads_to_what_is_meant(tool: str, given: str, meant: str) -> None:
    """H9: by meaning before by spelling."""
    (server,) = [server for server in servers() if tool in {declared.name for declared in server.tools()}]
    async with Client(assemble(server)) as client:
        error = await ToolCaller(client).fails(tool, **{given: "x"})
    assert f"unknown argument {given!r}: did you mean {meant}" in error["message"]


async def test_credentials_of_a_repository_do_not_belong_in_a_call() -> None:
    (server,) = [server for server in servers() if server.name == "helm"]
    about = {"name": "mine", "url": "https://charts.example.com"}
    async with Client(assemble(server)) as client:
        error = await ToolCaller(client).fails("helm_repo_add", **about, username="me", password="planted-in-a-call")
    assert (error["code"], "KMCP_HELM_REPOSITORIES" in error["hint"]) == ("denied", True)
    assert "planted" not in str(error)
