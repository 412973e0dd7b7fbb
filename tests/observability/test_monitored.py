"""V11: rules, dashboards and documents speak of series that running servers have; a real Prometheus says so."""

import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from prometheus_client import CollectorRegistry

from kmcp_bridge.metrics import described as of_bridges
from kmcp_controller.telemetry.metrics import described as of_controllers
from kmcp_runtime.audit.refusals import Reason
from kmcp_runtime.engine.telemetry import described as of_servers
from kmcp_runtime.errors import CODES
from tests.observability.loaded import Prometheus, dashboards, expressions, scraped
from tests.waiting import until

RULES = Path("charts/kmcp/files/alerts.yaml")
_METRIC = re.compile(r"\bkmcp_[a-z_]+\b")
_LABELS = re.compile(r"\b(?:by|on) \(([^)]*)\)|[{,] ?(\w+)(?==|!)")
_MATCHED = re.compile(r'(\w+)[=!]~?"([^"$]+)"')
VALUES: dict[str, set[str]] = {
    "code": {*CODES},
    "decision": {"required", "asked", "given", "refused", "off"},
    "outcome": {"ok", "client_error", "server_error", "failed"},
    "reason": {"RolloutStalled", *get_args(Reason)},
    "ready": {"true", "false"},
    "class": {"added", "removed", "changed", "breaking"},
}
"""What a label of a selector may be compared with."""
Binaries = Mapping[str, Path]
PACKAGES = {path.name for path in (*Path().iterdir(), *Path("servers").iterdir())} | {"kmcp_vault"}
"""Names of packages, among them the example of CONTRIBUTING.md: they look like metrics."""


@pytest.fixture(scope="module")
def binaries(backend: Callable[[str], Binaries]) -> Binaries:
    return backend("prometheus")


@pytest.fixture(scope="module")
async def prometheus(binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Prometheus]:
    async with scraped(binaries, tmp_path_factory.mktemp("monitored")) as found:
        yield found


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text()) for rule in group["rules"]]


QUERIES = [(name, title, text) for name, board in dashboards().items() for title, text in expressions(board)]


async def test_every_query_of_the_dashboards_has_data(prometheus: Prometheus) -> None:
    async def empty() -> list[tuple[str, str, str]]:
        return [each for each in QUERIES if not await prometheus.query(each[2])]

    await until(empty, lambda found: not found, what="data of every query")


async def test_every_rule_parses_and_asks_for_series_and_labels_that_there_are(prometheus: Prometheus) -> None:
    asked = [str(rule["expr"]) for rule in rules()] + [text for _, _, text in QUERIES]
    metrics = {metric for text in asked for metric in _METRIC.findall(text)}

    async def look() -> dict[str, set[str]]:
        return {metric: await prometheus.labels(metric) for metric in metrics}

    known = await until(look, lambda found: all(found.values()), what="a series of every metric")
    for text in asked:
        await prometheus.query(text)
        labels = {name.strip() for by, one in _LABELS.findall(text) for name in (by or one).split(",")} - {""}
        there = {label for metric in _METRIC.findall(text) for label in known[metric]}
        assert labels <= there, (text, labels - there)
        for label, values in _MATCHED.findall(text):
            if values != ".*":
                assert set(values.split("|")) <= VALUES[label], text


def test_every_rule_says_what_it_means_and_what_to_do() -> None:
    for rule in rules():
        assert set(rule["annotations"]) >= {"summary", "description"}, rule["alert"]
        assert rule["labels"]["severity"] in ("info", "warning", "critical")


def test_promtool_takes_the_rules_and_raises_them_on_recorded_series(binaries: Binaries, tmp_path: Path) -> None:
    shutil.copy("tests/observability/alerts_test.yaml", tmp_path)
    groups = yaml.safe_load(RULES.read_text())
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}))
    for words in (("check", "rules", "--lint=all", "rules.yaml"), ("test", "rules", "alerts_test.yaml")):
        done = promtool(binaries, tmp_path, *words)
        assert done.returncode == 0, done.stdout + done.stderr
    tried = (tmp_path / "alerts_test.yaml").read_text()
    assert [rule["alert"] for rule in rules() if rule["alert"] not in tried] == []
    # And it would notice: a threshold that is never reached.
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}).replace("> 0.2", "> 2"))
    assert "KmcpToolErrors" in promtool(binaries, tmp_path, "test", "rules", "alerts_test.yaml").stderr


def promtool(binaries: Binaries, directory: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    argv = [str(binaries["promtool"]), *words]
    return subprocess.run(argv, cwd=directory, capture_output=True, text=True, check=False, timeout=120)


def test_documents_speak_of_series_that_there_are() -> None:
    there = {name for registry in (of_servers(), of_controllers(), of_bridges()) for name in names(registry)}
    for document in (*Path("docs").rglob("*.md"), Path("README.md")):
        spoken = {name for name in _METRIC.findall(document.read_text()) if name not in PACKAGES}
        assert spoken <= there, (document, spoken - there)


def names(registry: CollectorRegistry) -> set[str]:
    """Of metrics, and of the series that Prometheus stores of them."""
    # What is made at each scrape is not among the registered names.
    return {*registry._names_to_collectors, *(family.name for family in registry.collect())}
