"""Client configuration: what a person pastes so that an MCP client finds the servers.

A secret is never in it: the client is told where to take the value from, in its own notation.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .model import EnvEntry, ServerEntry


@dataclass(frozen=True)
class Connection:
    """How a client reaches one server: by URL, or by a command that it starts."""

    name: str
    url: str | None = None
    command: tuple[str, ...] = ()
    env: tuple[EnvEntry, ...] = ()
    token: str | None = None  # name of the variable that holds the bearer token


def http_connections(
    servers: Mapping[str, ServerEntry], base_url: str, token: str | None = None
) -> tuple[Connection, ...]:
    """Each server of a suite composed at `base_url`: `<base>/<server>/mcp`."""
    base = base_url.rstrip("/")
    return tuple(Connection(name, f"{base}/{short_name(name)}/mcp", token=token) for name in sorted(servers))


def stdio_connections(
    servers: Mapping[str, ServerEntry], command: Callable[[str], Iterable[str]]
) -> tuple[Connection, ...]:
    """Each server started by the client with `command(<server>)`."""
    return tuple(
        Connection(name, command=tuple(command(name)), env=server.env) for name, server in sorted(servers.items())
    )


def short_name(server: str) -> str:
    """The server's name on the command line and in a composed URL: `kmcp-kubernetes` → `kubernetes`."""
    return server.removeprefix("kmcp-")


def export(form: str, connections: Iterable[Connection]) -> dict[str, Any]:
    """The document of one of FORMATS; KeyError for another."""
    return FORMATS[form](tuple(connections))


def _claude_code(connections: Iterable[Connection]) -> dict[str, Any]:
    entries = {each.name: _http(each, "${%s}") or _stdio(each, "${%s}") for each in connections}
    return {"mcpServers": {name: _typed(entry) for name, entry in entries.items()}}


def _typed(entry: dict[str, Any]) -> dict[str, Any]:
    return {"type": "http", **entry} if "url" in entry else entry


def _claude_desktop(connections: Iterable[Connection]) -> dict[str, Any]:
    """Its file takes commands only and expands nothing: a URL goes through a local bridge, a secret is asked for."""
    servers = {}
    for each in connections:
        bridge = {"command": "npx", "args": ["-y", "mcp-remote", each.url]}
        servers[each.name] = bridge if each.url else _stdio(each, "<value of %s>")
    return {"mcpServers": servers}


def _vscode(connections: Iterable[Connection]) -> dict[str, Any]:
    servers: dict[str, Any] = {}
    inputs: dict[str, Any] = {}
    for each in connections:
        entry = _http(each, "${input:%s}") or _stdio(each, "${input:%s}")
        servers[each.name] = {"type": "http" if each.url else "stdio", **entry}
        for variable, description, secret in _variables(each):
            inputs[variable] = {"type": "promptString", "id": variable, "description": description} | (
                {"password": True} if secret else {}
            )
    return {"servers": servers, "inputs": list(inputs.values())}


def _cursor(connections: Iterable[Connection]) -> dict[str, Any]:
    return {"mcpServers": {each.name: _http(each, "${env:%s}") or _stdio(each, "${env:%s}") for each in connections}}


def _http(each: Connection, reference: str) -> dict[str, Any]:
    if not each.url:
        return {}
    headers = {"Authorization": "Bearer " + reference % each.token} if each.token else {}
    return {"url": each.url} | ({"headers": headers} if headers else {})


def _stdio(each: Connection, reference: str) -> dict[str, Any]:
    env = {variable: reference % variable for variable, _, _ in _variables(each)}
    return {"command": each.command[0], "args": list(each.command[1:])} | ({"env": env} if env else {})


def _variables(each: Connection) -> list[tuple[str, str, bool]]:
    """What the user has to supply: name, description, whether it is a secret."""
    if each.url:
        return [(each.token, f"Bearer token of {each.name}", True)] if each.token else []
    return [(env.name, env.description, env.secret) for env in each.env if env.secret or env.required]


FORMATS: dict[str, Callable[[tuple[Connection, ...]], dict[str, Any]]] = {
    "claude-code": _claude_code,
    "claude-desktop": _claude_desktop,
    "vscode": _vscode,
    "cursor": _cursor,
}
