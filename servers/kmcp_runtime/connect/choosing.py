"""From the options of the command to the connections that a client gets."""

import argparse
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace

from kmcp_runtime.catalog import CLIENTS, Connection, EnvEntry, ServerEntry

from .programs import known_values, over_stdio, program_of

_ALL = "kmcp"
"""What one door to all servers is called in a client."""


class ChoiceError(Exception):
    """Options that do not fit; says which, and what to do."""


@dataclass(frozen=True)
class Choice:
    """What to write, and what a person should know of it."""

    connections: tuple[Connection, ...]
    notes: tuple[str, ...] = ()


def choose(
    given: argparse.Namespace, entries: Mapping[str, ServerEntry], url: str | None, environment: Mapping[str, str]
) -> Choice:
    """`url`: of the suite, None where the client starts the servers. Errors: ChoiceError."""
    if given.token_env and url is None:
        raise ChoiceError("--token-env is for servers at an address; name it with --url")
    if given.token_env and given.reveal and not environment.get(given.token_env):
        raise ChoiceError(f"--reveal: the variable {given.token_env} is not set here")
    return _over_http(given, entries, url, environment) if url else _over_stdio(given, entries, environment)


def _over_http(
    given: argparse.Namespace, entries: Mapping[str, ServerEntry], url: str, environment: Mapping[str, str]
) -> Choice:
    bearer = environment[given.token_env] if given.token_env and given.reveal else None
    base = Connection(_ALL, url, token=given.token_env, bearer=bearer)
    notes: list[str] = []
    client = CLIENTS[given.client]
    if not client.url:
        npx = shutil.which("npx")
        if npx is None:
            raise ChoiceError(f"{client.title} starts programs and takes no address, and npx is not here; use --stdio")
        base = replace(base, command=(npx,))
    if base.token and not bearer and not client.reference and client.language != "toml":
        notes.append(f"{client.title} takes no token from {base.token}; --reveal writes its value into the file")
    if not given.server:
        return Choice((base,), tuple(notes))
    root = url.split("?")[0].removesuffix("/mcp")
    found = [replace(base, name=f"kmcp-{name}", url=f"{root}/{name}/mcp") for name in entries]
    return Choice(tuple(found), tuple(notes))


def _over_stdio(
    given: argparse.Namespace, entries: Mapping[str, ServerEntry], environment: Mapping[str, str]
) -> Choice:
    if given.server:
        started = {f"kmcp-{name}": (over_stdio(f"kmcp-{name}"), entry.env) for name, entry in entries.items()}
    else:
        every = {each.name: each for entry in entries.values() for each in entry.env}
        started = {_ALL: ((*program_of("kmcp-suite"), "serve", "--transport", "stdio"), tuple(every.values()))}
    notes: list[str] = []
    found = []
    for name, (command, env) in started.items():
        values = known_values(env, environment)
        left = [each for each in env if each.name not in values and environment.get(each.name)]
        revealed = {each.name: environment[each.name] for each in left if given.reveal}
        handed = tuple(each.model_copy(update={"secret": True}) for each in left if each.name not in revealed)
        found.append(Connection(name, command=command, env=handed, values=values | revealed))
        notes += _missing(given.client, env, values | revealed, handed)
    return Choice(tuple(found), tuple(dict.fromkeys(notes)))


def _missing(
    client: str, env: tuple[EnvEntry, ...], values: Mapping[str, str], handed: tuple[EnvEntry, ...]
) -> list[str]:
    known = CLIENTS[client]
    named = {each.name for each in handed}
    notes = [
        f"{each.name} is not set here, so tools that need it will say so: {each.description}"
        for each in env
        if each.required and each.name not in values and each.name not in named
    ]
    if named and not known.reference and known.language != "toml":
        notes.append(f"{known.title} takes no {', '.join(sorted(named))} from elsewhere; --reveal writes the values")
    return notes
