"""Every tool of every server, through the converters of the frameworks that agents are written with (X1)."""

import os

import pytest

from tests.frameworks.converting import PAGE, PINS, NotInstalledError, convert, every_tool


@pytest.mark.parametrize("framework", list(PINS))
def test_every_tool_keeps_its_meaning(framework: str) -> None:
    """Types, enums, descriptions, required and free-form arguments are those that the server lists."""
    tools = [tool for listed in every_tool().values() for tool in listed]
    assert len(tools) > 100
    try:
        found = convert(framework, tools)
    except NotInstalledError as reason:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(reason))
    assert found == []


def test_the_table_names_what_is_pinned_and_every_server() -> None:
    """As `python -m tests.frameworks` wrote it."""
    table = PAGE.read_text()
    for framework, pins in PINS.items():
        assert f"| {framework} | {pins[0].rpartition('=')[2]} |" in table
    for server in every_tool():
        assert f"| {server} |{' all |' * len(PINS)}" in table
