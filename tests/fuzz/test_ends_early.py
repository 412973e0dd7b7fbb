"""A call that runs out of time says what it had changed by then."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.fuzz.cluster_standin import StandIn
from tests.fuzz.test_broken_answers import VALID
from tests.fuzz.worlds import world
from tests.mcp import ToolCaller
from tests.slowness import scaled

MANIFEST = "---\n".join(
    f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: y{number}, namespace: shop}}\n" for number in range(5)
)


@pytest.mark.parametrize("longer", ["tool", "settings"])
async def test_what_was_applied_before_the_deadline_is_told(tmp_path: Path, longer: str) -> None:
    """By the longer of both deadlines: the tool's own, and that of the settings."""
    long, short = min(7.0, scaled(2)), 0.5
    own, server = (long, short) if longer == "tool" else (short, long)
    async with world("kubernetes", tmp_path, lambda tool: replace(tool, timeout=own), timeout=server) as found:
        assert isinstance(found.standin, StandIn)
        found.standin.seed, found.standin.silent = VALID, "/api/v1/namespaces/shop/configmaps/y3"
        tools = ToolCaller(found.client)
        error = await tools.fails("k8s_apply_manifest", manifest=MANIFEST)
        told = (
            "3 changes had been sent; answered were those of configmaps shop/y0, configmaps shop/y1, configmaps shop/y2"
        )
        assert (error["code"], error["message"].partition("; ")[2]) == ("timed_out", told)
        assert f"k8s_apply_manifest did not end within {long:.0f} s; " in error["message"]
        assert "call again for the rest" in error["hint"]
        rehearsed = await tools.fails("k8s_apply_manifest", manifest=MANIFEST, dry_run=True)
        assert rehearsed["code"] == "timed_out"
        assert "had been sent" not in rehearsed["message"]
