"""Client configuration: what a person pastes so that an MCP client finds the servers.

A secret is never in it, unless a connection is made with its value: the client is told where to take the value from, in
its own notation. A client that knows no notation gets nothing of it.
"""

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote

from .model import EnvEntry, ServerEntry


@dataclass(frozen=True)
class Connection:
    """How a client reaches one server: by URL, or by a command that it starts."""

    name: str
    url: str | None = None
    command: tuple[str, ...] = ()
    env: tuple[EnvEntry, ...] = ()  # what the user has to supply; the client takes it from its environment
    values: Mapping[str, str] = field(default_factory=dict)  # environment that is known, as it will stand in the file
    token: str | None = None  # name of the variable that holds the bearer token
    bearer: str | None = None  # the token itself, only where it was asked for


def http_connections(
    servers: Mapping[str, ServerEntry], base_url: str, token: str | None = None
) -> tuple[Connection, ...]:
    """Each server of a suite composed at `base_url`: `<base>/<server>/mcp`."""
    base = base_url.rstrip("/")
    return tuple(Connection(name, f"{base}/{short_name(name)}/mcp", token=token) for name in sorted(servers))


def stdio_connections(
    servers: Mapping[str, ServerEntry],
    command: Callable[[str], Iterable[str]],
    values: Callable[[Iterable[EnvEntry]], Mapping[str, str]] | None = None,
) -> tuple[Connection, ...]:
    """Each server started by the client with `command(<server>)`; `values` are those of its settings that are known."""
    found = []
    for name, server in sorted(servers.items()):
        known = values(server.env) if values else {}
        left = tuple(each for each in server.env if each.name not in known)
        found.append(Connection(name, command=tuple(command(name)), env=left, values=known))
    return tuple(found)


def short_name(server: str) -> str:
    """The server's name on the command line and in a composed URL: `kmcp-kubernetes` → `kubernetes`."""
    return server.removeprefix("kmcp-")


@dataclass(frozen=True)
class ClientProgram:
    """An MCP client, as far as its configuration goes."""

    title: str
    servers: str  # key of its file that holds the servers
    reference: str  # how its file refers to a variable; empty where it cannot
    url: str = "url"  # key of an address; empty where it only starts commands
    more: Mapping[str, Any] = field(default_factory=dict)  # further fields of a server with an address
    language: Literal["json", "toml"] = "json"
    asks: bool = False  # it asks the user for a value once, and the file lists what is asked for as `inputs`

    def document(self, connections: Iterable[Connection]) -> dict[str, Any]:
        """All of a file that holds these servers."""
        found = tuple(connections)
        body: dict[str, Any] = {self.servers: {each.name: self.entry(each) for each in found}}
        if self.asks:
            body["inputs"] = list({entry["id"]: entry for each in found for entry in _asked(each)}.values())
        return body

    def entry(self, each: Connection) -> dict[str, Any]:
        """One server of it."""
        if self.language == "toml":
            return _codex(each)
        if not each.url:
            return ({"type": "stdio"} if self.asks else {}) | self._command(each)
        if not self.url:
            return _bridged(each)
        headers = {"Authorization": f"Bearer {bearer}"} if (bearer := self._bearer(each)) else {}
        return {**self.more, self.url: each.url} | ({"headers": headers} if headers else {})

    def text(self, connections: Iterable[Connection]) -> str:
        """The file in its language, with a line break at its end."""
        body = self.document(connections)
        if self.language == "toml":
            import tomlkit

            return tomlkit.dumps(body)
        return json.dumps(body, indent=2, ensure_ascii=False) + "\n"

    def _bearer(self, each: Connection) -> str:
        return each.bearer or (self.reference % each.token if each.token and self.reference else "")

    def _command(self, each: Connection) -> dict[str, Any]:
        names = [name for name, _, _ in _variables(each)] if self.reference else []
        env = dict(each.values) | {name: self.reference % name for name in names}
        return {"command": each.command[0], "args": list(each.command[1:])} | ({"env": env} if env else {})


def _codex(each: Connection) -> dict[str, Any]:
    """It names variables to hand on, rather than writing references to them."""
    if each.url:
        headers = {"http_headers": {"Authorization": f"Bearer {each.bearer}"}} if each.bearer else {}
        named = {"bearer_token_env_var": each.token} if each.token and not each.bearer else {}
        return {"url": each.url, **headers, **named}
    handed = [name for name, _, _ in _variables(each)]
    entry: dict[str, Any] = {"command": each.command[0], "args": list(each.command[1:])}
    return entry | ({"env": dict(each.values)} if each.values else {}) | ({"env_vars": handed} if handed else {})


def _bridged(each: Connection) -> dict[str, Any]:
    """For a client that takes commands only: a URL goes through a program that speaks stdio."""
    header = ["--header", f"Authorization:Bearer {each.bearer}"] if each.bearer else []
    return {"command": each.command[0] if each.command else "npx", "args": ["-y", "mcp-remote", each.url, *header]}


def _asked(each: Connection) -> list[dict[str, Any]]:
    return [
        {"type": "promptString", "id": variable, "description": description} | ({"password": True} if secret else {})
        for variable, description, secret in _variables(each)
    ]


def _variables(each: Connection) -> list[tuple[str, str, bool]]:
    """What the user has to supply: name, description, whether it is a secret."""
    if each.url:
        return [(each.token, f"Bearer token of {each.name}", True)] if each.token and not each.bearer else []
    return [(env.name, env.description, env.secret) for env in each.env if env.secret or env.required]


CLIENTS: dict[str, ClientProgram] = {
    "claude-code": ClientProgram("Claude Code", "mcpServers", "${%s}", more={"type": "http"}),
    "claude-desktop": ClientProgram("Claude Desktop", "mcpServers", "", url=""),
    "vscode": ClientProgram("VS Code", "servers", "${input:%s}", more={"type": "http"}, asks=True),
    "cursor": ClientProgram("Cursor", "mcpServers", "${env:%s}"),
    "windsurf": ClientProgram("Windsurf", "mcpServers", "${env:%s}", url="serverUrl"),
    "zed": ClientProgram("Zed", "context_servers", ""),
    "codex": ClientProgram("Codex", "mcp_servers", "", language="toml"),
    "gemini-cli": ClientProgram("Gemini CLI", "mcpServers", "${%s}", url="httpUrl"),
}


def deep_link(form: str, connection: Connection) -> str:
    """An address that has the client install the server; empty where it knows none."""
    entry = CLIENTS[form].entry(connection)
    if form == "vscode":
        asked = {"inputs": _asked(connection)} if _asked(connection) else {}
        return "vscode:mcp/install?" + quote(json.dumps({"name": connection.name, **entry, **asked}), safe="")
    if form == "cursor":
        config = base64.b64encode(json.dumps(entry).encode()).decode()
        name = quote(connection.name, safe="")
        return f"cursor://anysphere.cursor-deeplink/mcp/install?name={name}&config={quote(config, safe='')}"
    return ""
