"""`kmcp-suite plan`: objects on stdout, faults with their line on stderr."""

from pathlib import Path

import pytest
import yaml

from kmcp_controller.cli import plan
from tests.controller.manifests import prometheus


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
