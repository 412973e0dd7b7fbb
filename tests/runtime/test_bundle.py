"""The bundle for Claude Desktop: its manifest by the published rules, and what it says is what starts."""

import json
import os
import re
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport

from kmcp_runtime.connect.command import main
from tests import packages
from tests.installed import UV
from tests.slowness import scaled

# The rules of manifest_version 0.4 as its published schema has them: each object is closed.
STRING = str
PARTS: dict[str, Any] = {
    "manifest_version": STRING,
    "name": STRING,
    "display_name": STRING,
    "version": STRING,
    "description": STRING,
    "long_description": STRING,
    "author": {"name!": STRING, "email": STRING, "url": STRING},
    "repository": {"type!": STRING, "url!": STRING},
    "license": STRING,
    "keywords": [STRING],
    "server": {
        "type!": STRING,
        "entry_point!": STRING,
        "mcp_config": {"command!": STRING, "args": [STRING], "env": {"*": STRING}},
    },
    "tools": [{"name!": STRING, "description": STRING}],
    "compatibility": {"claude_desktop": STRING, "platforms": [STRING], "runtimes": {"python": STRING, "node": STRING}},
    "user_config": {
        "*": {
            "type!": STRING,
            "title!": STRING,
            "description!": STRING,
            "required": bool,
            "default": (str, int, bool),
            "multiple": bool,
            "sensitive": bool,
        }
    },
}
REQUIRED = {"name", "version", "description", "author", "server"}


def faults(value: Any, rule: Any, where: str = "") -> list[str]:
    """What a manifest breaks of the rules."""
    if isinstance(rule, list):
        if not isinstance(value, list):
            return [f"{where} is no list"]
        return [fault for n, item in enumerate(value) for fault in faults(item, rule[0], f"{where}[{n}]")]
    if not isinstance(rule, dict):
        return [] if isinstance(value, rule) else [f"{where} is {value!r}"]
    if not isinstance(value, dict):
        return [f"{where} is no object"]
    rules = {name.rstrip("!"): each for name, each in rule.items()}
    missing = [f"{where}.{name[:-1]} is missing" for name in rule if name.endswith("!") and name[:-1] not in value]
    unknown = [f"{where}.{name} is unknown" for name in value if name not in rules and "*" not in rules]
    known = ((name, rules.get(name, rules.get("*"))) for name in value if name in rules or "*" in rules)
    return [*missing, *unknown, *(f for name, each in known for f in faults(value[name], each, f"{where}.{name}"))]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of two servers, unpacked."""
    folder = tmp_path_factory.mktemp("bundle")
    file = folder / "a.mcpb"
    assert main(["mcpb", "--out", str(file), "--server", "clock", "--server", "kubernetes", "--no-test"]) == 0
    with zipfile.ZipFile(file) as archive:
        archive.extractall(folder / "x")
    return folder / "x"


@pytest.fixture(scope="module")
def installed(bundle: Path) -> Path:
    """The same, with the libraries that a client installs."""
    packages.run([UV, "sync"], bundle)
    return bundle


def test_the_manifest_keeps_the_published_rules(bundle: Path) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert faults(manifest, PARTS) == []
    assert manifest.keys() >= REQUIRED
    assert manifest["manifest_version"] == "0.4"
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", manifest["version"])
    assert manifest["server"]["type"] in ("python", "node", "binary", "uv")
    assert set(manifest["compatibility"]["platforms"]) <= {"darwin", "win32", "linux"}
    assert {each["type"] for each in manifest["user_config"].values()} <= {"string", "number", "boolean", "file"}
    # What the form asks for is what the server is told, and a secret is asked for as one.
    used = {
        re.fullmatch(r"\$\{user_config\.(\w+)\}", value) for value in manifest["server"]["mcp_config"]["env"].values()
    }
    assert {found[1] for found in used if found} == set(manifest["user_config"])
    assert manifest["user_config"]["kubeconfig"]["type"] == "file"
    assert manifest["user_config"]["kmcp_read_only"]["default"] is True
    assert (bundle / manifest["server"]["entry_point"]).is_file()
    assert not (bundle / "server" / "lib").exists()  # libraries do not belong into a bundle of this type
    assert "index" not in (bundle / "pyproject.toml").read_text()
    (wheel,) = (bundle / "wheels").iterdir()
    project = tomllib.loads((bundle / "pyproject.toml").read_text())
    assert project["tool"]["uv"]["sources"] == {"kmcp-suite": {"path": f"wheels/{wheel.name}"}}
    assert project["project"]["dependencies"] == [f"kmcp-suite[all]=={wheel.name.split('-')[1]}"]


async def test_what_the_manifest_starts_serves_what_the_form_says(installed: Path, tmp_path: Path) -> None:
    """As the client starts it: its own Python and libraries by uv, placeholders filled in from the form."""
    manifest = json.loads((installed / "manifest.json").read_text())
    config = manifest["server"]["mcp_config"]
    form = {name: field["default"] for name, field in manifest["user_config"].items()}
    form["kubeconfig"] = str(tmp_path / "absent")

    def filled(text: str) -> str:
        text = text.replace("${__dirname}", str(installed))
        return re.sub(r"\$\{user_config\.(\w+)\}", lambda found: str(form[found[1]]).lower(), text)

    assert config["command"] == "uv"
    env = {name: filled(value) for name, value in config["env"].items()} | {
        name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ
    }
    listed = {}
    for read_only in (True, False):
        form["kmcp_read_only"] = read_only
        env["KMCP_READ_ONLY"] = filled(config["env"]["KMCP_READ_ONLY"])
        transport = StdioTransport(UV, [filled(arg) for arg in config["args"]], env=env, keep_alive=False)
        async with Client(transport, timeout=scaled(60)) as client:
            found = await client.call_tool("search_tools", {"query": "delete a resource", "limit": 20})
            listed[read_only] = {tool["name"] for tool in found.structured_content["tools"]}
    assert "k8s_delete_resource" in listed[False]
    assert "k8s_delete_resource" not in listed[True]


@pytest.mark.parametrize(
    ("server", "form"), [("clock", "Read only"), ("prometheus", "Read only, PROMETHEUS_URL, PROMETHEUS_TOKEN")]
)
def test_it_says_what_the_form_asks_for(
    server: str, form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.mcpb"
    assert main(["mcpb", "--out", str(file), "--server", server, "--no-test"]) == 0
    assert capsys.readouterr().err.splitlines()[-1].endswith(f"with a form for: {form}")
    with zipfile.ZipFile(file) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    assert ", ".join(field["title"] for field in manifest["user_config"].values()) == form


def test_what_does_not_fit_a_bundle_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mcpb", "--write"]) == 2
    assert "give --out and --server alone" in capsys.readouterr().err
    assert main(["mcpb", "--out", str(tmp_path / "no" / "folder.mcpb"), "--no-test"]) == 2
    assert "cannot be written" in capsys.readouterr().err
    folder = tmp_path / "taken"
    folder.mkdir()
    assert main(["mcpb", "--out", str(folder), "--no-test"]) == 2
    assert f"{folder} cannot be written" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [folder], "nothing is left beside it"


@pytest.mark.parametrize("client", ["claude-code", "vscode", "kagent"])
def test_the_file_of_a_bundle_is_refused_elsewhere(
    client: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([client, "--out", str(tmp_path / "a.mcpb"), "--no-test"]) == 2
    out, err = capsys.readouterr()
    assert (out, f"--out is the file of a bundle, with mcpb: for {client} leave it out" in err) == ("", True)
    assert ("--write --file writes a file" in err) is (client != "kagent")


def test_a_file_that_would_not_be_written_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vscode", "--stdio", "--file", str(tmp_path / "mcp.json"), "--no-test"]) == 2
    out, err = capsys.readouterr()
    assert (out, "--file is where --write writes: add --write" in err) == ("", True)


def test_a_source_that_is_gone_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An installation for development, whose folder has been moved since."""
    about = tmp_path / "kmcp_suite-0.0.1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: kmcp-suite\nVersion: 0.0.1\n")
    (about / "direct_url.json").write_text(
        json.dumps({"url": f"file://{tmp_path}/moved", "dir_info": {"editable": True}})
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert main(["mcpb", "--out", str(tmp_path / "a.mcpb"), "--server", "clock", "--no-test"]) == 2
    assert f"the wheel of {tmp_path}/moved cannot be built: cannot start" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.mcpb"))
