"""`kmcp-suite plan`: objects on stdout, faults with their line on stderr."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from kmcp_controller.cli.commands import plan, preflight
from kmcp_runtime import shipped
from kmcp_runtime.publishing import published
from tests.controller.driving import Driver
from tests.controller.manifests import manifest, prometheus
from tests.controller.test_reconcile import IMAGE


def test_plan_prints_the_objects(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "server.yaml"
    file.write_text(yaml.safe_dump(prometheus()))
    assert plan(["-f", str(file), "--suite-image", "registry.example.com/kmcp"]) == 0
    printed = capsys.readouterr()
    kinds = [each["kind"] for each in yaml.safe_load_all(printed.out)]
    assert kinds == ["ServiceAccount", "NetworkPolicy", "Service", "Deployment", "RemoteMCPServer"]
    assert printed.err.startswith("assumed: ")


def test_plan_names_file_line_path_and_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "server.yaml"
    file.write_text(
        "apiVersion: kagent.dev/v1alpha1\nkind: MCPServer\nmetadata: {name: a.b}\n"
        "spec:\n  transportType: http\n  deployment:\n    image: x\n    prot: 80\n"
    )
    assert plan(["-f", str(file)]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert f'{file}:8: spec.deployment.prot: unknown key; did you mean "port"?' in printed.err
    assert f"{file}:3: metadata.name: becomes a Service name" in printed.err


def test_plan_of_no_file_or_no_yaml(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert plan(["-f", str(tmp_path / "absent.yaml")]) == 1
    file = tmp_path / "bad.yaml"
    file.write_text("a: [")
    assert plan(["-f", str(file)]) == 1
    assert "correct the YAML" in capsys.readouterr().err


@pytest.mark.parametrize("command", [plan, preflight])
def test_publishing_that_is_malformed_is_told(
    command: Callable[[Sequence[str]], int], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    file = tmp_path / "publishing.yaml"
    file.write_text("pypi: x\n")
    monkeypatch.setattr(shipped, "publishing_file", lambda: file)
    published.cache_clear()
    try:
        assert command(["-f", str(tmp_path / "absent.yaml")] if command is plan else []) == 1
    finally:
        published.cache_clear()
    assert f"{file}: it takes package" in capsys.readouterr().err


@pytest.mark.cluster
async def test_plan_shows_what_would_change(driver: Driver, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await driver.start()
    network: dict[str, Any] = {"ingressFrom": [{"podSelector": {}}]}
    made = await driver.server({**IMAGE, "env": {"OLD": "1"}}, extensions={"network": network})
    await driver.condition("Programmed", "True")
    file = tmp_path / "server.yaml"
    body = {key: made[key] for key in ("apiVersion", "kind")}
    deployment = {**IMAGE, "env": {"NEW": "2"}}
    metadata = {"name": "time", "namespace": driver.namespace}
    new = {"name": "new", "namespace": driver.namespace}
    servers = [
        {**body, "metadata": metadata, "spec": {"transportType": "http", "deployment": deployment}},
        {**body, "metadata": new, "spec": {"transportType": "http", "deployment": IMAGE}},
    ]
    file.write_text(yaml.safe_dump_all(servers))
    before = await driver.wanted("Deployment", "Service")
    flags = ["-f", str(file), "--diff", "--kubeconfig", str(driver.given.kubeconfig)]
    assert await asyncio.to_thread(plan, flags) == 0
    printed = capsys.readouterr().out
    assert [each["kind"] for each in yaml.safe_load_all(printed)] == ["ServiceAccount", "Service", "Deployment"] * 2
    lines = [line.removeprefix("# ") for line in printed.splitlines() if line.startswith("# ")]
    where = driver.namespace
    assert f"= Service {where}/time" in lines
    assert f"~ Deployment {where}/time" in lines
    assert [line.strip()[1:].strip() for line in lines if "- name: " in line] == ["- name: OLD", "- name: NEW"]
    assert f"- NetworkPolicy {where}/time" in lines
    assert f"+ Deployment {where}/new" in lines
    assert await driver.wanted("Deployment", "Service") == before
    assert await driver.get("Deployment", "new") is None


@pytest.mark.cluster
async def test_L13_the_difference_shows_no_literal_secret(
    driver: Driver, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = "Zq7planted-old-9Pd", "Zq7planted-new-9Pd"
    await driver.start()
    made = await driver.server({**IMAGE, "env": {"DB_PASSWORD": old, "MODE": "a"}})
    await driver.condition("Programmed", "True")
    deployment = {**IMAGE, "env": {"DB_PASSWORD": new, "MODE": "b"}}
    server = {
        **{key: made[key] for key in ("apiVersion", "kind")},
        "metadata": {"name": "time", "namespace": driver.namespace},
        "spec": {"transportType": "http", "deployment": deployment},
    }
    file = tmp_path / "server.yaml"
    file.write_text(yaml.safe_dump(server))
    flags = ["-f", str(file), "--diff", "--kubeconfig", str(driver.given.kubeconfig)]
    assert await asyncio.to_thread(plan, flags) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("# ")]
    changed = [line.split("value: ")[1].strip() for line in lines if "value: " in line]
    assert {"a", "b"} <= set(changed)
    assert sum(line.strip("'").startswith("[hidden:") for line in changed) == 2
    assert not [line for line in lines if old in line or new in line]


@pytest.mark.cluster
async def test_plan_tells_what_would_be_refused(
    driver: Driver, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await driver.create("ServiceAccount", "time")
    file = tmp_path / "server.yaml"
    # What only the API server knows: fields that do not exist are told without one.
    sidecar = {"name": "side", "image": "x", "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}}
    body = manifest({**IMAGE, "sidecars": [sidecar]})
    file.write_text(yaml.safe_dump({**body, "metadata": {"name": "time", "namespace": driver.namespace}}))
    flags = ["-f", str(file), "--diff", "--kubeconfig", str(driver.given.kubeconfig)]
    assert await asyncio.to_thread(plan, flags) == 1
    printed = capsys.readouterr().out
    assert "# ! ServiceAccount" in printed
    assert "exists and is not owned by this MCPServer" in printed
    assert "must be less than or equal to cpu limit" in printed.partition("# ! Deployment")[2]
