"""Files that the guides show are taken by what reads them."""

import re
import textwrap
from pathlib import Path

import pytest
import yaml

from evals.task import load
from kmcp_bridge.settings import BridgeSettings
from kmcp_prometheus.api import sources
from kmcp_prometheus.settings import PrometheusSettings
from kmcp_querydoc.sources import definitions
from kmcp_runtime import commands
from kmcp_runtime.foreign.servers_file import read_servers
from kmcp_runtime.runbooks.reading import parsed

ROOT = Path(__file__).parents[2]
GUIDES = ROOT / "docs/guides"
_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_ELLIPSIS = re.compile(r"(?:\b[0-9a-f]{4})?…")


def blocks(page: str, beginning: str, language: str | None = None) -> list[str]:
    """The blocks of a guide in which a line begins so; what is left out of a digest is put in."""
    found = [
        _ELLIPSIS.sub("a" * 64, textwrap.dedent(body))
        for _, named, body in _BLOCK.findall((GUIDES / page).read_text())
        if language in (None, named) and re.search(rf"^{re.escape(beginning)}", textwrap.dedent(body), re.MULTILINE)
    ]
    assert found, (page, beginning)
    return found


def test_data_sources_of_prometheus(tmp_path: Path) -> None:
    (text,) = blocks("prometheus.md", "- {name: eu")
    secret = tmp_path / "eu"
    secret.write_text("token")
    file = tmp_path / "datasources.yaml"
    file.write_text(text.replace("/run/secrets/eu", str(secret)))
    found = sources.configured(PrometheusSettings(prometheus_datasources_file=str(file)))
    assert [source.name for source in found] == ["eu", "mimir"]


def test_sources_of_documentation(tmp_path: Path) -> None:
    (text,) = blocks("documentation.md", "- {product: depot")
    (tmp_path / "docs").mkdir()
    (tmp_path / "sources.yaml").write_text(text)
    products = [source.product for source in definitions.read(tmp_path / "sources.yaml")]
    assert products == ["depot", "shop", "site", "tool", "shop-code"]


def test_foreign_servers_behind_the_door(tmp_path: Path) -> None:
    (text,) = blocks("foreign-servers.md", "servers:")
    (tmp_path / "token").write_text("token")
    file = tmp_path / "servers.yaml"
    file.write_text(text.replace("/var/run/secrets/github/token", str(tmp_path / "token")))
    assert set(read_servers(file)) == {"github"}


def test_a_runbook() -> None:
    (text,) = blocks("runbooks.md", "name: depot-full")
    runbook = parsed(text, "depot", "runbooks/depot-full.md")
    assert (runbook.name, [argument.name for argument in runbook.arguments]) == ("depot-full", ["shelf"])


def test_a_task_for_a_model(tmp_path: Path) -> None:
    (text,) = blocks("evals.md", "name: wrong-replicas")
    (tmp_path / "kubernetes").mkdir()
    (tmp_path / "kubernetes" / "own.yaml").write_text(text)
    (task,) = load(tmp_path)
    assert task.steps[0].tool == "k8s_scale"


def test_policies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rules as they are shown, and those within values of the chart."""
    rules = blocks("policy.md", "@id(")
    (values,) = blocks("policy.md", "policy:")
    rules.append(textwrap.dedent(values.partition("reads.cedar: |\n")[2]))
    for number, text in enumerate(rules):
        file = tmp_path / f"{number}.cedar"
        file.write_text(text)
        assert commands.main(["policy", "check", str(file)]) == 0, capsys.readouterr()
    assert len(rules) == 2


def test_extensions_of_mcpservers_and_the_settings_of_the_bridge() -> None:
    page = (GUIDES / "own-server.md").read_text()
    _, _, table = page.partition("### What kmcp has no field for\n")
    rows = re.findall(r"^\| (`.*?`) \|", table.partition("\n## ")[0], re.MULTILINE)
    definition = yaml.safe_load((ROOT / "charts/kmcp/crds/mcpservers.kagent.dev.yaml").read_text())
    (version,) = definition["spec"]["versions"]
    fields = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["extensions"]["properties"]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(fields)
    defaults = {
        field.json_schema_extra["env"]: field.default
        for field in BridgeSettings.model_fields.values()
        if isinstance(field.json_schema_extra, dict) and str(field.json_schema_extra["env"]).startswith("KMCP_BRIDGE")
    }
    said = re.findall(r"`(KMCP_BRIDGE_[A-Z_]+)`[^`(]*\((\d+)( MiB)?", page)
    wanted = {name: int(default) for name, default in defaults.items() if name != "KMCP_BRIDGE_ISOLATION"}
    assert {name: int(number) << (20 if unit else 0) for name, number, unit in said} == wanted


def test_mcpservers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = blocks("own-server.md", "kind: MCPServer")
    for number, text in enumerate(found):
        (tmp_path / f"{number}.yaml").write_text(text)
    assert commands.main(["plan", "-f", str(tmp_path)]) == 0, capsys.readouterr()
    assert capsys.readouterr().out.count("kind: Deployment") == len(found) == 2
