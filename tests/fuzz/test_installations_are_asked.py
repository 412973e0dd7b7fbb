"""D1: istioctl and helm change what is there only with a yes; what they install anew needs none."""

from pathlib import Path

import pytest

from tests.fuzz import proper
from tests.fuzz.cluster_standin import StandIn
from tests.fuzz.hostile_answers import mood_of
from tests.fuzz.worlds import World, world
from tests.mcp import ToolCaller

GOOD = next(seed for seed in range(100) if mood_of(seed) == "valid")
_ISTIO = "/apis/apps/v1/namespaces/istio-system"
_ISTIOD = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "istiod", "namespace": "istio-system", "uid": "1"},
    "spec": {"replicas": 1},
}


def ran(found: World, program: str) -> list[str]:
    """The runs of a program that change something."""
    changing = (f"{program} install", f"{program} upgrade", f"{program} rollback", f"{program} uninstall")
    return [line for line in found.take_sent() if line.startswith(changing) and "--dry-run" not in line]


@pytest.mark.parametrize("there", [True, False])
async def test_D1_istioctl_changes_an_installation_only_with_a_yes(there: bool, tmp_path: Path) -> None:
    async with world("istio", tmp_path, approval="plan") as found:
        assert isinstance(found.standin, StandIn)
        found.standin.seed = GOOD
        proper.answer_properly(found, found.standin)
        found.standin.fixed |= {
            f"{_ISTIO}/{plural}": {"kind": "List", "metadata": {}, "items": items}
            for plural, items in (("deployments", [_ISTIOD] if there else []), ("daemonsets", []))
        }
        tools = ToolCaller(found.client)
        if there:
            error = await tools.fails("istio_install_istio")
            assert error["code"] == "approval_required"
            assert "istiod" in error["plan"]["destroys"][0]
            assert ran(found, "istioctl") == []
            await tools.ok("istio_install_istio", approval=error["approval"])
        else:
            await tools.ok("istio_install_istio")
        assert len(ran(found, "istioctl")) == 1


async def test_D1_helm_removes_a_release_only_with_a_yes(tmp_path: Path) -> None:
    async with world("helm", tmp_path, own=proper.OWN["helm"], approval="plan") as found:
        assert isinstance(found.standin, StandIn)
        found.standin.seed = GOOD
        proper.answer_properly(found, found.standin)
        tools, tool, arguments = ToolCaller(found.client), "helm_uninstall", proper.CALLS["helm_uninstall"]
        error = await tools.fails(tool, **arguments)
        assert error["code"] == "approval_required"
        assert ran(found, "helm") == []
        await tools.fails(tool, **arguments, approval="invented")
        assert ran(found, "helm") == []
        await found.client.call_tool(tool, {**arguments, "approval": error["approval"]}, raise_on_error=False)
        assert len(ran(found, "helm")) == 1
