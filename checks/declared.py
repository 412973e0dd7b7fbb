"""The servers of the suite, as pyproject.toml declares them: the one place where a server is named."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SERVERS = Path("servers")
KUBERNETES = "kmcp-suite[kubernetes]"
"""The extra of a server that talks to Kubernetes holds this, or the client itself for the server of that name."""


@dataclass(frozen=True)
class DeclaredServer:
    """A server: its name, and the package that its entry point in the group `kmcp.servers` names."""

    name: str
    package: str
    uses_kubernetes: bool

    @property
    def folder(self) -> Path:
        return SERVERS / self.package


def read_project(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text())


def declared_servers(root: Path) -> list[DeclaredServer]:
    project = read_project(root)["project"]
    extras = project["optional-dependencies"]
    return [
        DeclaredServer(name, target.partition(".")[0], name == "kubernetes" or KUBERNETES in extras.get(name, ()))
        for name, target in sorted(project["entry-points"]["kmcp.servers"].items())
    ]
