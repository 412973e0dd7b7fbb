"""S5: a plan takes time in proportion to what the manifest holds."""

import json
import time
from pathlib import Path

import pytest

from kmcp_controller.cli.commands import plan


def _manifest(folder: Path, variables: int) -> str:
    env = {f"NAME_{number}": f"value-{number}" for number in range(variables)}
    spec = {"transportType": "http", "deployment": {"image": "example.com/x:1", "port": 3000, "cmd": "x", "env": env}}
    meta = {"name": "large", "namespace": "default"}
    path = folder / f"{variables}.yaml"
    path.write_text(
        json.dumps({"apiVersion": "kagent.dev/v1alpha1", "kind": "MCPServer", "metadata": meta, "spec": spec})
    )
    return str(path)


def test_s5_twenty_thousand_variables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def seconds(variables: int) -> float:
        path = _manifest(tmp_path, variables)
        began = time.process_time()
        assert plan(["-f", path]) == 0
        assert capsys.readouterr().out.count("NAME_") == variables
        return time.process_time() - began

    seconds(10)
    short = seconds(2_500)
    # Eight times as many; the square would be sixty-four.
    assert seconds(20_000) < max(short, 0.1) * 20
