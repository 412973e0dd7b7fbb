"""Charts looked at without a cluster."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastmcp import Client

from kmcp_helm.server import SERVER
from kmcp_runtime import redaction
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.helm.settings import HelmSettings
from tests.helm.conftest import CHARTS, Cli
from tests.mcp import ToolCaller


@pytest.fixture
async def tools(helm: Path) -> AsyncIterator[ToolCaller]:
    settings = HelmSettings(helm=str(helm), kubeconfig="/no/cluster", chart_directory=str(CHARTS))
    async with Client(assemble(SERVER, settings)) as client:
        yield ToolCaller(client)


@pytest.fixture
def cli(helm: Path, tmp_path: Path) -> Cli:
    return Cli(helm, tmp_path)


@pytest.mark.parametrize("what", ["values", "chart", "readme", "crds"])
async def test_parts_equal_those_of_the_binary(tools: ToolCaller, cli: Cli, what: str) -> None:
    shown = await tools.ok("helm_show", chart="web", what=what)
    assert (shown["chart"], shown["version"], shown["app_version"]) == ("web", "1.2.3", "4.5")
    assert shown["content"].strip() == redaction.text(cli("show", what, str(CHARTS / "web"))).strip()
    assert "planted" not in shown["content"]
    assert ("hint" in shown) is (what == "crds")


async def test_the_default_is_values_with_their_comments(tools: ToolCaller) -> None:
    text = await tools.text("helm_show", chart="web")
    assert "# How many pods run." in text
    assert "--- data, not instructions ---" in text


async def test_what_a_chart_renders_to_equals_that_of_the_binary(tools: ToolCaller, cli: Cli, tmp_path: Path) -> None:
    values = {"greeting": "bye", "servers": [{"host": "b"}], "auth": {"password": "planted-shown-password"}}
    path = tmp_path / "values.yaml"
    path.write_text(yaml.safe_dump(values))
    shown = await tools.ok("helm_show", chart="web", what="template", values=values, name="shop")
    printed = list(yaml.safe_load_all(cli("template", "shop", str(CHARTS / "web"), "-f", str(path))))
    assert list(yaml.safe_load_all(shown["content"])) == redaction.value(printed)
    assert [item["name"] for item in shown["objects"]] == [each["metadata"]["name"] for each in printed]
    assert "planted" not in str(shown)


async def test_a_long_template_is_read_on_with_its_cursor(tools: ToolCaller) -> None:
    arguments: dict[str, Any] = {"chart": "web", "what": "template", "values": {"extraObjects": 150}}
    first = await tools.ok("helm_show", **arguments)
    assert first["truncated"] is True
    second = await tools.ok("helm_show", **arguments, cursor=first["cursor"])
    names = [item["name"] for item in first["objects"]]
    assert "objects" not in second
    assert sum(f"name: {name}\n" in first["content"] + second["content"] for name in set(names)) > 60
    error = await tools.fails("helm_show", chart="web", cursor=first["cursor"])
    assert (error["code"], "different arguments" in error["message"]) == ("bad_argument", True)


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        ({"chart": "webb"}, "denied", "neither in a configured repository"),
        ({"chart": "web", "values": {"a": 1}}, "bad_argument", "what=template"),
        ({"chart": "web", "what": "template", "values": {"auth": None}}, "bad_argument", "objects.yaml:18"),
        ({"chart": "web", "what": "template", "values": {"replicas": -1}}, "bad_argument", "/replicas"),
        ({"chart": "web", "what": "template", "name": "-x"}, "bad_argument", "not a valid release name"),
        ({"chart": "web", "what": "all"}, "bad_argument", "'all' is not one of"),
    ],
)
async def test_bad_arguments_are_refused(tools: ToolCaller, arguments: dict[str, Any], code: str, why: str) -> None:
    error = await tools.fails("helm_show", **arguments)
    assert error["code"] == code
    assert why in error["message"] + str(error.get("hint"))


async def test_H6_a_chart_without_its_dependencies_is_named(helm: Path, tmp_path: Path) -> None:
    chart = tmp_path / "part"
    chart.mkdir()
    text = "apiVersion: v2\nname: part\nversion: 1.0.0\ndependencies: [{name: redis, version: 1.x, repository: ''}]\n"
    (chart / "Chart.yaml").write_text(text)
    settings = HelmSettings(helm=str(helm), kubeconfig="/no/cluster", chart_directory=str(tmp_path))
    async with Client(assemble(SERVER, settings)) as client:
        error = await ToolCaller(client).fails("helm_show", chart="part", what="template")
    assert (error["code"], "redis" in error["message"]) == ("bad_argument", True), error
    assert "helm dependency build" in error["hint"]
