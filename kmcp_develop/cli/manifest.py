"""The manifest of a project, for the commands that take one server of it."""

from pathlib import Path
from typing import Any

from kmcp_controller.cli.manifests import read_manifests
from kmcp_controller.spec import MCPServer, Platform
from kmcp_develop.project.description import ProjectError


def read_one(file: Path, done: str) -> tuple[MCPServer, dict[str, Any]]:
    """The one MCPServer of a file, and what is written of it; `done` is what happens to one at a time.

    Errors: ProjectError with each fault and its line.
    """
    found = read_manifests([str(file)])
    servers = found.servers(Platform())
    if found.refused:
        raise ProjectError("\n".join(map(str, found.refused)))
    if len(servers) != 1:
        raise ProjectError(f"{file} holds {len(servers)} MCPServers; one is {done} at a time")
    ((_, document),) = found.found
    return servers[0], dict(document.data)
