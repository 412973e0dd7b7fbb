"""X16: a server's tools and backend are loaded when they are wanted, and what cannot be loaded harms nothing else."""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kmcp_clock.server import SERVER as CLOCK
from kmcp_kubernetes.server import SERVER as KUBERNETES
from kmcp_runtime import RuntimeSettings, SettingsError
from kmcp_runtime.engine.assembly import compose
from kmcp_runtime.engine.configured import ConfiguredServer, Process
from kmcp_runtime.engine.preparing import prepared
from kmcp_runtime.server import Server
from tests.ports import free_ports
from tests.runtime import shelf
from tests.runtime.engine_answers import opening
from tests.runtime.test_instant_process import CALL, TIME, answer, clock, lines, outcome, write
from tests.slowness import scaled

TOKYO: dict[str, Any] = TIME
PODS: dict[str, Any] = {"name": "k8s_get_resources", "arguments": {"resource_type": "pods"}}
PROGRAM = """
import atexit, sys
from kmcp_clock.server import SERVER as CLOCK
from kmcp_runtime import Server
from kmcp_runtime.instant import start
LATE = Server(package="late", name="kubernetes", title="Late", description="Late.", instructions="", port=1)
atexit.register(lambda: print("late:", *(name for name in sys.modules if name[:4] == "late"), file=sys.stderr))
sys.exit(start.run([CLOCK, LATE], sys.argv[1:], "both", "Both.", 8080))
"""


@pytest.fixture
def late(tmp_path: Path) -> Path:
    """A package of a server that is prepared as `kubernetes` is; its modules are what a test makes them."""
    package = tmp_path / "late"
    (package / "tools").mkdir(parents=True)
    for path in (package / "__init__.py", package / "tools" / "__init__.py"):
        path.write_text("")
    (package / "prepared.json").write_text(prepared(KUBERNETES))
    return package


async def session(late: Path, *calls: dict[str, Any]) -> tuple[list[Any], str, int | None]:
    """The results of these calls over stdio, what was logged, and the exit code."""
    program = [sys.executable, "-c", PROGRAM]
    async with clock(environment={"PYTHONPATH": str(late.parent)}, program=program) as process:
        # Without a list: where this process is slow to ask, the engine answers it, and has all servers at hand for it.
        hello, ready, *_ = opening("2025-11-25")
        write(process, lines(hello, ready))
        assert (await answer(process))["id"] == 1
        results = []
        for number, call in enumerate(calls, 10):
            write(process, lines({**CALL, "id": number, "params": call}))
            results.append((await answer(process))["result"])
        _, log, code = await outcome(process, b"")
        return results, log.decode(), code


async def test_a_call_loads_the_server_of_its_tool_alone(late: Path) -> None:
    (result,), log, code = await session(late, TOKYO)
    assert result["structuredContent"]["timezone"] == "Asia/Tokyo"
    assert log.endswith("late: late\n"), "no module of the other one"
    assert code == 0


@pytest.mark.parametrize(
    ("client", "tools", "text"),
    [
        ("", "import no_such_library", "the server of this tool cannot be loaded"),
        ("import no_such_library", "", "the server of this tool cannot be loaded"),
        ("from kmcp_runtime import SettingsError\ndef open_backend(settings): raise SettingsError('shut')", "", "shut"),
    ],
)
async def test_a_server_that_cannot_be_loaded_harms_its_own_calls_alone(
    client: str, tools: str, text: str, late: Path
) -> None:
    (late / "client.py").write_text(client)
    (late / "tools" / "some.py").write_text(tools)
    results, log, code = await session(late, PODS, TOKYO, PODS, TOKYO)
    assert [result.get("isError", False) for result in results] == [True, False, True, False]
    for result in results[::2]:
        assert '"unavailable"' in result["content"][0]["text"]
        assert text in result["content"][0]["text"]
    assert ("No module named 'no_such_library'" in log) == ("no_such_library" in client + tools)
    assert code == 0


async def test_over_http_one_that_cannot_be_loaded_ends_the_process(late: Path) -> None:
    (late / "client.py").write_text(
        "def open_backend(settings):\n    from kmcp_clock.client import Clock\n    return Clock()"
    )
    (late / "tools" / "some.py").write_text("import no_such_library")
    program = [sys.executable, "-c", PROGRAM]
    port, management = map(str, free_ports(2))
    flags = ("--transport", "http", "--port", port, "--management-port", management)
    async with clock(*flags, environment={"PYTHONPATH": str(late.parent)}, program=program) as process:
        _, log = await asyncio.wait_for(process.communicate(), scaled(60))
        assert process.returncode == 1
        assert "No module named 'no_such_library'" in log.decode()


async def test_a_tool_that_was_written_after_the_list_was_prepared_is_found(tmp_path: Path, monkeypatch: Any) -> None:
    """As the author of a server has it between two runs of `make catalog`."""
    package = tmp_path / "late_found"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "prepared.json").write_text(prepared(replace(CLOCK, tools=tuple)))
    (package / "tools").symlink_to(Path(sys.modules["kmcp_clock.server"].__file__ or "").parent / "tools")
    monkeypatch.syspath_prepend(str(tmp_path))
    server = Server(package="late_found", name="clock", title="x", description="x", instructions="", port=1)
    instance = ConfiguredServer(server, server.settings(), Process.of(RuntimeSettings()))
    assert not instance.names
    await instance.load()
    assert set(instance.tools) == {tool.name for tool in CLOCK.tools()}


async def test_two_servers_with_one_tool_are_refused() -> None:
    process = Process.of(RuntimeSettings())
    both = [
        ConfiguredServer(replace(shelf.SERVER, name=name), shelf.ShelfSettings(), process) for name in ("one", "two")
    ]
    with pytest.raises(SettingsError, match="the servers one and two both have a tool 'shelf_"):
        compose("both", both, None)
