"""Kubeconfigs as kubectl 1.36 reads them: the server, the identity that it sees, or the refusal (K1-K9)."""

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client

from kmcp_kubernetes.server import SERVER
from kmcp_kubernetes.settings import KubernetesSettings
from kmcp_runtime import yaml_text
from kmcp_runtime.engine.assembly import assemble
from tests.kubernetes.kubeconfigs.corpus import CASES
from tests.kubernetes.kubeconfigs.corpus.model import USUAL, Case, doc, plugin
from tests.kubernetes.kubeconfigs.lab import Lab, laboratory
from tests.mcp import ToolCaller
from tests.patience import patient
from tests.slowness import scaled

_PROXY_VARIABLES = re.compile("(https?|all|no)_proxy", re.IGNORECASE)


@pytest.fixture(scope="module")
async def lab(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
    async with laboratory(tmp_path_factory.mktemp("lab")) as found:
        yield found


@pytest.fixture(autouse=True)
def _no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if _PROXY_VARIABLES.fullmatch(name):
            monkeypatch.delenv(name)


def written(case: Case, lab: Lab, directory: Path) -> str:
    """The case's files in a directory; the value of KUBECONFIG."""
    for name in ("ca.crt", "client.crt", "client.key", "other.crt", "other.key"):
        (directory / name).write_bytes((lab.directory / name).read_bytes())
    (directory / "token").write_text("from-file\n")
    for name, content in case.files.items():
        path = directory / name
        path.parent.mkdir(exist_ok=True)
        filled = lab.filled(content)
        path.write_text(filled if isinstance(filled, str) else yaml_text.write(filled))
        path.chmod(0o755 if name.endswith(".sh") else 0o600)
    return os.pathsep.join(str(directory / part) if part else "" for part in case.kubeconfig.split(":"))


async def told(kubeconfig: str) -> tuple[str, str, str]:
    """What the server says of its own configuration: a failure's code, what it complains of, and the hint."""
    settings = KubernetesSettings(kubeconfig=kubeconfig, kube_timeout=scaled(10))
    async with Client(assemble(SERVER, settings, patient())) as client:
        answer = await client.call_tool("k8s_get_cluster_configuration", {}, raise_on_error=False)
    if answer.is_error:
        body = next(iter((answer.meta or {}).values()))
        return body["code"], body["message"], body.get("hint", "")
    content = answer.structured_content or {}
    return "", " ".join(content.get("warnings") or ()), content.get("hint") or ""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_k1_to_k9_the_corpus(case: Case, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in lab.filled(dict(case.env)).items():
        monkeypatch.setenv(name, value)
    lab.forget()
    code, message, _ = await told(written(case, lab, tmp_path))
    if case.reaches is None:
        assert re.search(case.refused, message), message
        assert code in ("", "unavailable")
        assert lab.outcome() is None
    else:
        assert lab.outcome() == {**USUAL, **case.reaches}, message


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_the_corpus_by_kubectl(case: Case, lab: Lab, kubectl: Path, tmp_path: Path) -> None:
    """What the corpus expects is what kubectl does: where it reaches nothing, nothing may be expected to be reached."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home"), **lab.filled(dict(case.env))}
    environment["KUBECONFIG"] = written(case, lab, tmp_path)
    lab.forget()
    process = await asyncio.create_subprocess_exec(
        kubectl, "get", "--raw", "/version", env=environment, cwd=tmp_path,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, errors = await asyncio.wait_for(process.communicate(), scaled(30))
    seen = lab.outcome() if process.returncode == 0 else None
    assert seen == (None if case.reaches is None else {**USUAL, **case.reaches}), errors.decode()
    if case.departs:
        assert "localhost:8080" in errors.decode()


async def test_k7_the_hint_of_a_missing_plugin(lab: Lab, tmp_path: Path) -> None:
    content = doc(plugin(command="corp-login-plugin", installHint="brew install corp"))
    _, message, hint = await told(written(Case("", {"config": content}), lab, tmp_path))
    assert "corp-login-plugin" in message
    assert hint == "brew install corp"


ASKS = """#!/bin/sh
printf %s "$KUBERNETES_EXEC_INFO" > "$0.info"
echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"issued"}}'
"""


def _asking(**changes: Any) -> Case:
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "a", "n": 1}}
    cluster = {"certificate-authority": "ca.crt", "proxy-url": "<proxy>", "extensions": [extension]}
    return Case("", {"config": doc(plugin(**changes), cluster), "plugin.sh": ASKS})


async def test_k9_the_plugin_gets_the_cluster(lab: Lab, tmp_path: Path) -> None:
    await told(written(_asking(provideClusterInfo=True), lab, tmp_path))
    found = json.loads((tmp_path / "plugin.sh.info").read_text())
    assert (found["kind"], found["apiVersion"]) == ("ExecCredential", "client.authentication.k8s.io/v1")
    assert found["spec"] == {
        "interactive": False,
        "cluster": {
            "server": lab.words["tls"],
            "certificate-authority-data": lab.words["ca64"],
            "proxy-url": lab.words["proxy"],
            "config": {"audience": "a", "n": 1},
        },
    }


async def test_k9_the_plugin_that_asks_for_nothing_gets_nothing(lab: Lab, tmp_path: Path) -> None:
    await told(written(_asking(), lab, tmp_path))
    assert json.loads((tmp_path / "plugin.sh.info").read_text())["spec"] == {"interactive": False}


async def test_k9_as_kubectl_tells_it(lab: Lab, kubectl: Path, tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "KUBECONFIG": written(_asking(provideClusterInfo=True), lab, tmp_path)}
    process = await asyncio.create_subprocess_exec(kubectl, "get", "--raw", "/version", env=environment)
    assert await asyncio.wait_for(process.wait(), scaled(30)) == 0
    theirs = json.loads((tmp_path / "plugin.sh.info").read_text())
    await told(environment["KUBECONFIG"])
    assert json.loads((tmp_path / "plugin.sh.info").read_text()) == theirs


COUNTS = """#!/bin/sh
echo x >> "$0.runs"
echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential",\
"status":{"token":"t'$(wc -l < "$0.runs" | tr -d ' ')'","expirationTimestamp":"EXPIRES"}}'
"""


@pytest.mark.parametrize(("expires", "runs"), [("2020-01-01T00:00:00Z", 2), ("2199-01-01T00:00:00Z", 1)])
async def test_k7_an_expired_credential_is_asked_for_anew(lab: Lab, tmp_path: Path, expires: str, runs: int) -> None:
    case = Case("", {"config": doc(plugin()), "plugin.sh": COUNTS.replace("EXPIRES", expires)})
    settings = KubernetesSettings(kubeconfig=written(case, lab, tmp_path))
    lab.forget()
    async with Client(assemble(SERVER, settings, patient())) as client:
        for _ in range(2):
            await ToolCaller(client).ok("k8s_get_cluster_configuration")
    assert [seen["authorization"] for seen in lab.seen] == ["Bearer t1", f"Bearer t{runs}"]


async def test_k2_a_context_can_be_chosen_where_none_is_current(lab: Lab, tmp_path: Path) -> None:
    case = next(each for each in CASES if each.name == "no current-context, two contexts")
    settings = KubernetesSettings(kubeconfig=written(case, lab, tmp_path))
    async with Client(assemble(SERVER, settings, patient())) as client:
        tools = ToolCaller(client)
        refused = await tools.fails("k8s_get_cluster_configuration")
        assert refused["code"] == "unavailable"
        assert "production, dev" in refused["hint"]
        assert (await tools.ok("k8s_get_cluster_configuration", context="dev"))["current_context"] == "dev"


async def test_k3_a_change_of_the_second_file_is_seen(lab: Lab, tmp_path: Path) -> None:
    case = next(each for each in CASES if each.name == "three files that belong together")
    settings = KubernetesSettings(kubeconfig=written(case, lab, tmp_path))
    lab.forget()
    async with Client(assemble(SERVER, settings, patient())) as client:
        await ToolCaller(client).ok("k8s_get_cluster_configuration")
        (tmp_path / "c").write_text(yaml_text.write({"users": [{"name": "u", "user": {"token": "rotated"}}]}))
        await ToolCaller(client).ok("k8s_get_cluster_configuration")
    assert [seen["authorization"] for seen in lab.seen] == ["Bearer t1", "Bearer rotated"]


async def test_no_secret_of_a_kubeconfig_is_shown(lab: Lab, tmp_path: Path) -> None:
    user = {"token": "hunter2-hunter2-hunter2", "as": "jane"}
    case = Case("", {"config": doc(user, {"proxy-url": "http://me:swordfish@127.0.0.1:1"})})
    _, message, hint = await told(written(case, lab, tmp_path))
    assert message
    assert not re.search("hunter2|swordfish", message + hint)
