"""Every tool as a ServiceAccount that holds exactly what the tool declares: enough, and nothing in it to spare."""

import json
import secrets
from pathlib import Path
from typing import Any

import pytest

from kmcp_helm.server import SERVER
from kmcp_runtime import Rule, ToolSpec
from kmcp_runtime.helm.settings import HelmSettings
from kmcp_runtime.kube.api import KubeApi
from tests.cluster.model import Cluster
from tests.helm.conftest import CHARTS, Cli
from tests.mcp import ToolCaller
from tests.rights import complaints, each_tool, each_verb, holding, names_only, without
from tests.slowness import whole
from tests.waiting import until

pytestmark = pytest.mark.pods
READING = ("helm_list_releases", "helm_get_release", "helm_history")
RUNNING_HOOKS = ("helm_upgrade", "helm_uninstall")
UNSEEN = {"watch": "Helm 3 lists again where it may not watch; Helm 4 gives up"}
"""Verbs that this version of helm can do without, and why they are declared."""
SHOWN = {"helm_rollback": ("update", "delete"), "helm_uninstall": ("create", "delete")}
"""Verbs to take away where helm_upgrade shows all: these are those that helm itself would say nothing of."""


class Stage:
    """A namespace where each attempt has a release of its own, of two revisions that differ in every way."""

    def __init__(self, cli: Cli, namespace: str, tool: str, job: str | None) -> None:
        self.cli, self.namespace, self.tool = cli, namespace, tool
        hook = {"job": job, "command": ["true"]} if job else {}
        self.smaller: dict[str, Any] = {"greeting": "one", "extraObjects": 0, **hook}
        self.larger: dict[str, Any] = {"greeting": "two", "extraObjects": 1, **hook}
        self._made = ""

    def calls(self, release: str) -> list[dict[str, Any]]:
        about = {"name": release, "namespace": self.namespace}
        upgrade = {**about, "chart": "web", "install": True, "timeout_seconds": whole(60)}
        found: dict[str, list[dict[str, Any]]] = {
            "helm_list_releases": [{"namespace": self.namespace}],
            "helm_upgrade": [{**upgrade, "values": self.larger}, {**upgrade, "values": self.smaller}],
        }
        return found.get(self.tool, [about])

    async def outcome(self, caller: ToolCaller) -> str:
        """Empty when every call succeeded without a warning; else what was said."""
        said: list[str] = []
        for arguments in self.calls(self._release()):
            said += complaints(await caller.client.call_tool(self.tool, arguments, raise_on_error=False))
        return "\n".join(said)

    def _release(self) -> str:
        """One that the tool can do its work on: always the same for those that only read."""
        if not self._made or self.tool not in READING:
            self._made = f"r{secrets.token_hex(4)}"
            if self.tool != "helm_upgrade":
                self._install(self._made, self.smaller)
            if self.tool == "helm_rollback":
                self._install(self._made, self.larger)
        return self._made

    def _install(self, release: str, values: dict[str, Any]) -> None:
        flags = [f"--set-json={name}={json.dumps(value)}" for name, value in values.items()]
        self.cli("upgrade", "--install", "-n", self.namespace, *flags, release, str(CHARTS / "web"))


def needed() -> list[Any]:
    cases = [(case, case.values[0].name, case.values[2]) for case in each_verb(SERVER)]
    return [case for case, tool, verb in cases if verb not in UNSEEN and verb in SHOWN.get(tool, (verb,))]


def with_needs() -> list[Any]:
    """The others are called where there is no cluster at all."""
    return [case for case in each_tool(SERVER) if case.values[0].needs]


@pytest.mark.parametrize("declared", with_needs())
async def test_the_declared_rights_are_enough(
    declared: ToolSpec, api: KubeApi, cluster: Cluster, cli: Cli, settings: HelmSettings, namespace: str, tmp_path: Path
) -> None:
    stage = Stage(cli, namespace, declared.name, cluster.image if declared.name in RUNNING_HOOKS else None)
    async with holding(api, SERVER, settings, namespace, declared.needs, tmp_path) as caller:
        # The authorizer learns of a new binding within moments.
        await until(lambda: stage.outcome(caller), lambda said: said == "", 90, declared.name)


@pytest.mark.parametrize(("declared", "rule", "verb"), needed())
async def test_each_declared_right_is_needed(
    declared: ToolSpec,
    rule: Rule,
    verb: str,
    api: KubeApi,
    cluster: Cluster,
    cli: Cli,
    settings: HelmSettings,
    namespace: str,
    tmp_path: Path,
) -> None:
    # What an uninstall makes is what its hooks run.
    job = cluster.image if (declared.name, verb) == ("helm_uninstall", "create") else None
    stage = Stage(cli, namespace, declared.name, job)
    async with holding(api, SERVER, settings, namespace, without(declared.needs, rule, verb), tmp_path) as caller:
        said = await until(
            lambda: stage.outcome(caller), lambda said: names_only(said, rule, verb), 90, f"{verb} refused"
        )
        assert "forbidden" in said
