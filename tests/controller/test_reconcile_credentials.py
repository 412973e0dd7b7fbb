"""Credentials without the official client."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from kmcp_runtime import ToolFailure
from kmcp_runtime.kube.config import load_contexts
from kmcp_runtime.kube.credentials import Credentials, load


async def of(user: dict[str, Any], directory: Path) -> Credentials:
    content = {
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": user}],
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
    }
    path = directory / "kubeconfig"
    path.write_text(yaml.safe_dump(content))
    contexts = load_contexts(str(path))
    return await load(contexts, contexts.named(None))


async def test_a_token_file_is_read_anew(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first\n")
    found = await of({"tokenFile": "token"}, tmp_path)
    assert found.bearer() == "first"
    (tmp_path / "token").write_text("second\n")
    assert found.headers() == [("Authorization", "Bearer second")]


async def test_openid_connect_is_refused_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kubernetes", None)
    with pytest.raises(ToolFailure, match="needs the kubernetes package"):
        await of({"auth-provider": {"name": "oidc"}}, tmp_path)


def test_the_controller_needs_no_kubernetes_package() -> None:
    program = "import sys; sys.modules['kubernetes'] = None; import kmcp_controller.program.run"
    subprocess.run([sys.executable, "-c", program], check=True)
