"""V17: what is built is enough: `up` from the wheel, in an empty folder, without a checkout."""

import asyncio
import json
import os
import signal
import tarfile
import zipfile
from pathlib import Path

import pytest
from fastmcp import Client

from tests.delivery.conftest import ROOT, Built, Laptop, ran
from tests.installed import UV
from tests.waiting import until

LARGEST_MEGABYTES = 90
OF_OTHERS = ("kubernetes", "aiohttp", "kopf", "wordllama")


def test_the_wheel_holds_what_a_user_without_a_checkout_needs(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as wheel:
        names = set(wheel.namelist())
        for name in ("catalog.yaml", "publishing.yaml", "charts/kmcp/Chart.yaml", "charts/kmcp/values.yaml"):
            assert wheel.read(f"kmcp_runtime/shipped_files/{name}") == (ROOT / name).read_bytes()
        runbooks = list((ROOT / "servers").glob("*/runbooks/*.md"))
        assert runbooks
        for path in runbooks:
            assert wheel.read(path.relative_to(ROOT / "servers").as_posix()) == path.read_bytes()
    templates = {path.name for path in (ROOT / "charts/kmcp/templates").iterdir()}
    assert {
        name for name in templates if f"kmcp_runtime/shipped_files/charts/kmcp/templates/{name}" in names
    } == templates
    assert "kmcp_querydoc/own/docs/get-started/laptop.md" in names
    with tarfile.open(built.sdist) as sdist:
        assert any(name.endswith("/charts/kmcp/Chart.yaml") for name in sdist.getnames())


def test_an_extra_brings_the_libraries_of_one_server_and_stays_small(environment: Path) -> None:
    packages = next(environment.glob("lib/python*/site-packages"))
    assert not [name for name in OF_OTHERS if (packages / name).exists()]
    megabytes = sum(file.stat().st_size for file in packages.rglob("*") if file.is_file()) / 1e6
    assert megabytes <= LARGEST_MEGABYTES, f"{megabytes:.0f} MB"


async def test_up_in_the_background_answers_a_client_and_ends(laptop: Laptop) -> None:
    printed = await asyncio.to_thread(laptop.suite, *laptop.up, "--detach")
    assert "kmcp-querydoc: 3 tools, Ready" in printed
    assert (
        "kmcp-kubernetes is not installed: aiohttp, aiohttp-socks, kubernetes are absent; install the suite" in printed
    )
    async with Client(f"http://127.0.0.1:{laptop.ports[0]}/querydoc/mcp") as client:
        names = {tool.name for tool in await client.list_tools()}
        answer = await client.call_tool(min(names & {"query_documentation"} or names), {"query": "state of approvals"})
    assert "docs/" in str(answer.content)
    (suite,) = json.loads(await asyncio.to_thread(laptop.suite, "status", "--json"))
    assert (suite["port"], suite["state"]) == (laptop.ports[0], "running")
    assert {"kmcp-querydoc", "kmcp-prometheus"} <= {server["name"] for server in suite["servers"]}
    assert "process" in laptop.suite("status")
    assert "kmcp-suite | " in laptop.suite("logs")
    assert "no lines of 'nothing'; there are lines of argo, " in laptop.suite("logs", "nothing", code=1)
    for again in (laptop.up, [*laptop.up, "--detach"]):
        assert "runs at port" in laptop.suite(*again, code=1)
    assert laptop.suite("down") == f"port {laptop.ports[0]}: ended\n"
    assert "no suite runs" in laptop.suite("status", code=3)
    assert list(laptop.folder.iterdir()) == [], "nothing is left in the user's folder"


async def test_a_killed_supervisor_leaves_no_process_and_no_riddle(laptop: Laptop) -> None:
    await asyncio.to_thread(laptop.suite, *laptop.up, "--detach")
    (suite,) = json.loads(laptop.suite("status", "--json"))
    os.kill(suite["pid"], signal.SIGKILL)

    async def left() -> list[str]:
        return [path for path in _command_lines() if str(laptop.environment) in path and "serve" in path]

    await until(left, lambda lines: not lines, what="end of the servers")
    assert "no suite runs" in laptop.suite("status", code=3)
    assert "ended without a word before; its log is kept" in laptop.suite("down")
    await asyncio.to_thread(laptop.suite, *laptop.up, "--detach")


def _command_lines() -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(process.read_text().replace("\0", " "))
        except OSError:  # it has ended meanwhile
            continue
    return found


@pytest.mark.parametrize("data", ["/dev/null/share", "/proc/self/share"])
def test_without_a_place_for_state_the_background_is_refused_with_what_to_set(laptop: Laptop, data: str) -> None:
    refused = laptop.suite(*laptop.up, "--detach", code=1, XDG_DATA_HOME=data)
    assert f"no state can be kept in {data}/kmcp-suite/up/{laptop.ports[0]}" in refused
    assert "set XDG_DATA_HOME to a folder of yours" in refused


def test_units_name_the_program_and_every_argument(laptop: Laptop) -> None:
    unit = laptop.suite(*laptop.up, "--unit", "systemd", "--detach", "--manifests", "/a b/50%", KUBECONFIG="/x/$y")
    start = next(line for line in unit.splitlines() if line.startswith("ExecStart="))
    assert start.startswith(f'ExecStart="{laptop.environment}/bin/python" "-m" "kmcp_runtime.commands" "up" "--port"')
    assert start.endswith('"--manifests" "/a b/50%%"')
    assert "--detach" not in unit
    assert 'Environment="KUBECONFIG=/x/$y"' in unit
    listed = laptop.suite("up", "--unit=launchd")
    assert "<string>kmcp_runtime.commands</string>\n\t\t<string>up</string>\n\t</array>" in listed


def test_uvx_runs_it_from_the_wheel(built: Built, environment: Path, tmp_path: Path) -> None:
    printed = ran(UV, "--quiet", "tool", "run", "--from", built.wheel, "kmcp-suite", "chart", folder=tmp_path)
    assert Path(printed.strip().splitlines()[-1], "Chart.yaml").is_file()
