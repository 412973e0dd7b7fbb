"""Releases through pyhelm3, an independent client of Helm, and through our tools: on the same cluster both must agree.

pyhelm3 stays out of the servers (`docs/decisions` says why); here it is a second opinion on what is stored.
"""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyhelm3 import Client as Oracle

from kmcp_runtime import redaction
from tests.cluster.model import Cluster
from tests.helm.conftest import CHARTS
from tests.mcp import ToolCaller

pytestmark = pytest.mark.cluster
WEB = str(CHARTS / "web")
FIRST = {"greeting": "from the oracle", "servers": [{"host": "o.example", "port": 81}]}
SECOND = {"greeting": "bye", "settings": {"nested": {"deep": 2, "gone": None}}, "auth": {"password": "planted-given"}}


@pytest.fixture
async def oracle(cluster: Cluster, helm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Oracle:
    # It runs helm with the environment of this process: a home of its own, so that nobody's repositories count.
    monkeypatch.setenv("HOME", str(tmp_path))
    return Oracle(executable=str(helm), kubeconfig=cluster.kubeconfig)


async def test_what_the_oracle_installs_is_read_by_the_tools(tools: ToolCaller, oracle: Oracle, namespace: str) -> None:
    chart = await oracle.get_chart(WEB)
    await oracle.install_or_upgrade_release("theirs", chart, FIRST, namespace=namespace, create_namespace=False)
    await oracle.install_or_upgrade_release("theirs", chart, SECOND, namespace=namespace, create_namespace=False)
    await agree(tools, oracle, namespace, "theirs", revisions=2)


async def test_what_the_tools_install_is_read_by_the_oracle(tools: ToolCaller, oracle: Oracle, namespace: str) -> None:
    about = {"name": "ours", "namespace": namespace}
    await tools.ok("helm_upgrade", **about, chart="web", values=FIRST, install=True)
    await tools.ok("helm_upgrade", **about, chart="web", values=SECOND)
    await tools.ok("helm_rollback", **about, revision=1)
    await agree(tools, oracle, namespace, "ours", revisions=3)


async def test_an_uninstall_of_either_is_seen_by_the_other(tools: ToolCaller, oracle: Oracle, namespace: str) -> None:
    for name in ("ours", "theirs"):
        await tools.ok("helm_upgrade", name=name, namespace=namespace, chart="web", install=True)
    await tools.ok("helm_uninstall", name="ours", namespace=namespace, keep_history=True)
    await (await oracle.get_current_revision("theirs", namespace=namespace)).release.uninstall()
    found = [release.name for release in await oracle.list_releases(all=True, namespace=namespace)]
    listed = await tools.ok("helm_list_releases", namespace=namespace, all=True)
    assert [item["name"] for item in listed["items"]] == found == ["ours"]
    revision = await oracle.get_current_revision("ours", namespace=namespace)
    assert listed["items"][0]["status"] == revision.status.value == "uninstalled"


async def agree(tools: ToolCaller, oracle: Oracle, namespace: str, name: str, revisions: int) -> None:
    """List, history, and of each revision status, chart, values and manifest."""
    (listed,) = (await tools.ok("helm_list_releases", namespace=namespace))["items"]
    (release,) = await oracle.list_releases(namespace=namespace)
    assert (listed["name"], listed["namespace"]) == (release.name, release.namespace) == (name, namespace)
    current = await release.current_revision()
    assert (listed["revision"], listed["status"]) == (current.revision, current.status.value)
    history = (await tools.ok("helm_history", name=name, namespace=namespace))["items"]
    theirs = sorted(await release.history(), key=lambda found: -found.revision)
    assert [entry["revision"] for entry in history] == list(range(revisions, 0, -1))
    assert [_told(entry) for entry in history] == [
        (found.revision, found.status.value, found.description, found.updated) for found in theirs
    ]
    for number in range(1, revisions + 1):
        await _agree_on_revision(tools, await release.revision(number), {"name": name, "namespace": namespace})


def _told(entry: dict[str, Any]) -> tuple[Any, ...]:
    updated = datetime.fromisoformat(entry["updated"])
    return entry["revision"], entry["status"], entry["description"], updated


async def _agree_on_revision(tools: ToolCaller, theirs: Any, about: dict[str, str]) -> None:
    async def part(resource: str) -> dict[str, Any]:
        return await tools.ok("helm_get_release", **about, resource=resource, revision=theirs.revision)

    chart, seen = await theirs.chart_metadata(), await part("metadata")
    assert (seen["chart"], seen["chart_version"], seen["app_version"]) == (chart.name, chart.version, chart.app_version)
    assert seen["status"] == theirs.status.value
    # What the tools show is redacted; the same secret is shown as the same digest.
    assert (await part("values"))["values"] == redaction.value(await theirs.values())
    assert (await part("values_all"))["values_all"] == redaction.value(await theirs.values(computed=True))
    assert (await part("notes"))["notes"] == redaction.value(theirs.notes)
    hooks = (await part("hooks"))["hooks"]
    assert [(hook["name"], hook["kind"]) for hook in hooks] == [(each.name, each.kind) for each in await theirs.hooks()]
    manifest = [each for each in yaml.safe_load_all((await part("manifest"))["manifest"]) if each]
    assert manifest == redaction.value([each for each in await theirs.resources() if each])
