"""An MCP bundle (`.mcpb`): one file that Claude Desktop installs, with a form for what a person has to say.

By manifest_version 0.4 of the MCPB specification, with a server of the type `uv`: the client's uv fetches Python and
the libraries. The suite itself is in it as a wheel, since no index may be asked for it until it is published.
"""

import json
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kmcp_runtime.catalog import Connection, EnvEntry, ServerEntry
from kmcp_runtime.distributions import SUITE
from kmcp_runtime.publishing import published
from kmcp_runtime.version import VERSION

from .suite_wheel import write_wheel

FILE = "kmcp-suite.mcpb"
_VERSION = "0.4"
_MAIN = "server/main.py"
_TITLE = "kmcp-suite"
_ABOUT = "Kubernetes operations by MCP: look, explain and change, with a plan and a yes before anything is destroyed."
_LONGEST_DESCRIPTION = 200
_READ_ONLY = {
    "type": "boolean",
    "title": "Read only",
    "description": "Offer only what changes nothing",
    "default": True,
    "required": False,
}
_KUBECONFIG = {
    "type": "file",
    "title": "Kubeconfig",
    "description": "File that says how to reach the clusters",
    "default": "${HOME}/.kube/config",
    "required": False,
}


def write(path: Path, entries: Mapping[str, ServerEntry]) -> None:
    """A bundle of these servers. Errors: `WheelError`, OSError; then there is no new file."""
    with tempfile.TemporaryDirectory() as folder:
        wheel = write_wheel(Path(folder))
        fresh = path.with_name(path.name + ".new")
        try:
            with zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("manifest.json", json.dumps(manifest(entries), indent=2) + "\n")
                archive.writestr("pyproject.toml", _project(wheel.name))
                archive.writestr(_MAIN, _main(list(entries)))
                archive.write(wheel, f"wheels/{wheel.name}")
            fresh.replace(path)
        finally:  # of an interrupt too; once it has its name there is none
            fresh.unlink(missing_ok=True)


def manifest(entries: Mapping[str, ServerEntry]) -> dict[str, Any]:
    """`manifest.json` of a bundle of these servers."""
    form = asked(entries)
    source = published().repository
    tools = [tool for entry in entries.values() for tool in entry.tools]
    return {
        "manifest_version": _VERSION,
        "name": SUITE,
        "display_name": _TITLE,
        "version": VERSION,
        "description": _ABOUT,
        "author": {"name": f"The {_TITLE} authors"},
        **({"repository": {"type": "git", "url": source}} if source else {}),
        "license": "Apache-2.0",
        "keywords": ["mcp", *entries],
        "server": {
            "type": "uv",
            "entry_point": _MAIN,
            "mcp_config": {
                "command": "uv",
                "args": ["run", "--directory", "${__dirname}", _MAIN],
                "env": {name: f"${{user_config.{name.lower()}}}" for name in form},
            },
        },
        "tools": [{"name": tool.name, "description": tool.description[:_LONGEST_DESCRIPTION]} for tool in tools],
        "compatibility": {"platforms": ["darwin", "linux", "win32"], "runtimes": {"python": ">=3.11"}},
        "user_config": {name.lower(): field for name, field in form.items()},
    }


def asked(entries: Mapping[str, ServerEntry]) -> dict[str, dict[str, Any]]:
    """What a person is asked for, by the variable that takes it: what a server cannot be without, and tokens."""
    known = {each.name: each for entry in entries.values() for each in entry.env}
    fields = {"KUBECONFIG": _KUBECONFIG} if "KUBECONFIG" in known else {}
    wanted = [each for each in known.values() if each.required or (each.secret and each.name.endswith("_TOKEN"))]
    return {**fields, "KMCP_READ_ONLY": _READ_ONLY, **{each.name: _field(each) for each in wanted}}


def _field(each: EnvEntry) -> dict[str, Any]:
    # Nothing is required of all: who has no Grafana uses the other servers.
    field = {"type": "string", "title": each.name, "description": each.description, "default": "", "required": False}
    return {**field, "sensitive": True} if each.secret else field


def _project(wheel: str) -> str:
    """The wheel is named as the source: of an index, that name could be anybody's."""
    lines = [
        "[project]",
        f'name = "{SUITE}-bundle"',
        f'version = "{VERSION}"',
        'requires-python = ">=3.11"',
        f'dependencies = ["{SUITE}[all]=={VERSION}"]',
        "",
        "[tool.uv]",
        "package = false",
        "",
        "[tool.uv.sources]",
        f'{SUITE} = {{ path = "wheels/{wheel}" }}',
    ]
    return "\n".join(lines) + "\n"


def _main(names: list[str]) -> str:
    lines = [
        '"""What the bundle starts."""',
        "",
        "import sys",
        "",
        "from kmcp_runtime.commands import main",
        "",
        'if __name__ == "__main__":',
        f'    sys.exit(main(["serve", {", ".join(map(json.dumps, names))}, "--transport", "stdio"]))',
    ]
    return "\n".join(lines) + "\n"


@contextmanager
def started_by(path: Path) -> Iterator[Connection]:
    """What the bundle starts, by the Python that runs here and with every question left open."""
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder)
        yield Connection(SUITE, command=(sys.executable, str(Path(folder) / _MAIN)), values={"KMCP_READ_ONLY": "true"})
