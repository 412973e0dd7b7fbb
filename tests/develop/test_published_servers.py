"""`kmcp-suite test` against published servers: the defects that they have, and none that they do not have."""

import json
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from kmcp_develop.cli.test import test as contract
from kmcp_develop.contract.report import RULES
from tests.packages import npm_packages, python_environment
from tests.slowness import scaled

PINS = Path(__file__).parent / "published"
BOTH, OLDER = ["2026-07-28", "2025-11-25"], ["2025-11-25"]
EXPECTED: dict[str, tuple[int, list[str], dict[str, int]]] = {
    # Tools, revisions, findings by rule: as somebody reads them in the lists of these versions.
    "mcp-server-time": (2, BOTH, {}),
    "mcp-server-fetch": (1, BOTH, {"schemas": 1, "budget": 1}),
    "mcp-server-git": (12, BOTH, {"descriptions": 24, "schemas": 12}),
    "mcp-server-filesystem": (14, OLDER, {"descriptions": 18}),
    "mcp-server-memory": (9, OLDER, {"descriptions": 4}),
    "mcp-server-sequential-thinking": (1, OLDER, {"portability": 1, "budget": 1}),
    "mcp-server-everything": (13, OLDER, {"descriptions": 1, "schemas": 12}),
    "kubernetes-mcp-server": (20, BOTH, {"schemas": 20, "budget": 1}),
}
BINARY, BUILD = "kubernetes-mcp-server", "kubernetes-mcp-server-linux-amd64"
LEAKS = {
    "mcp-server-everything": "it tells a secret of its environment",  # its get-env prints it, whatever is in it
    BINARY: "holds something of the shape of a secret",  # its configuration_view shows the token
}
KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "away", "cluster": {"server": "https://127.0.0.1:9"}}],
    "users": [{"name": "somebody", "user": {"token": "hJ7vQ2mX9pL4sT8wZ3kR"}}],
    "contexts": [{"name": "away", "context": {"cluster": "away", "user": "somebody"}}],
    "current-context": "away",
}


def command(name: str, folder: Path) -> list[str]:
    """Of packages in the cache, and of the tests' folder for what the server works on."""
    if name in ("mcp-server-time", "mcp-server-fetch", "mcp-server-git"):
        program = python_environment(PINS / "requirements.txt").with_name(name)
    elif name == BINARY:
        program = npm_packages(PINS) / BUILD / "bin" / BUILD
        if not program.exists():
            pytest.skip(f"{BUILD} is for another platform")
    else:
        program = npm_packages(PINS) / ".bin" / name
    if name == "mcp-server-git":
        subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
        return [str(program), "--repository", str(folder)]
    if name == BINARY:
        (folder / "kubeconfig").write_text(json.dumps(KUBECONFIG))
        return [str(program), "--kubeconfig", str(folder / "kubeconfig")]
    further = {"mcp-server-filesystem": [str(folder)], "mcp-server-everything": ["stdio"]}
    return [str(program), *further.get(name, [])]


@pytest.mark.parametrize("name", EXPECTED)
def test_a_published_server_has_the_defects_that_it_has(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMORY_FILE_PATH", str(tmp_path / "memory.jsonl"))
    argv = ["--stdio", " ".join(command(name, tmp_path)), "--format", "json", "--timeout", str(scaled(60))]
    code = contract(argv)
    report = json.loads(capsys.readouterr().out)
    tools, revisions, wanted = EXPECTED[name]
    errors = [each for each in report["findings"] if each["severity"] == "error"]
    found = Counter(each["rule"] for each in report["findings"] if each not in errors)
    assert (report["tools"], report["revisions"], dict(found)) == (tools, revisions, wanted), report["findings"]
    assert code == int(bool(errors))
    if name in LEAKS:
        assert {each["rule"] for each in errors} == {"leaks"}
        assert LEAKS[name] in [each["text"] for each in errors]
    else:
        assert errors == []
    assert found.keys() <= RULES.keys()
    assert not list(tmp_path.glob("memory.jsonl")), "a contract test changes nothing"
