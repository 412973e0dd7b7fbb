"""istioctl ends as if all were well, and has not analysed: what it says instead reaches the caller."""

from pathlib import Path

from tests.fuzz.worlds import world
from tests.mcp import ToolCaller

SAID = "namespace lost-and-gone not found"


async def test_what_istioctl_says_instead_of_an_analysis_is_told(tmp_path: Path) -> None:
    async with world("istio", tmp_path) as found:
        program = tmp_path / "istioctl"
        program.write_text(f"#!/bin/sh\necho '{SAID}' >&2\n")
        error = await ToolCaller(found.client).fails("istio_analyze_cluster_configuration", all_namespaces=True)
    assert error["code"] == "unavailable"
    assert SAID in error["message"]
