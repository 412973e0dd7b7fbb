"""The page of settings: those of every server, then those of each."""

from collections.abc import Mapping, Sequence

from pydantic.fields import FieldInfo

from kmcp_runtime.reference.markdown import code, table
from kmcp_runtime.reference.markdown import page as joined
from kmcp_runtime.server import Server
from kmcp_runtime.settings import RuntimeSettings, describe, flag, is_secret, variable

_ABOUT = """\
A setting is an environment variable or, where it is not a secret, a flag; the flag wins. A command line can be read by
every user of a machine, so secrets have no flag. `--help` of each program lists the same."""
_SHARED = 3
"""Servers from which on a group of settings is shown once, instead of with each of them."""


def page(servers: Sequence[Server]) -> str:
    parts = ["# Settings", _ABOUT, "## Every server", _table(RuntimeSettings.model_fields)]
    shared = _shared(servers)
    for names, fields in shared.items():
        parts += [f"## {_listed(names)}", _table(fields)]
    common = {(names, name) for names, fields in shared.items() for name in fields}
    for server in servers:
        own = {
            name: field
            for name, field in server.settings.model_fields.items()
            if not any(server.name in names and name == each for names, each in common)
        }
        if own:
            parts += [f"## {server.full_name}", _table(own)]
    return joined(*parts)


def _shared(servers: Sequence[Server]) -> dict[tuple[str, ...], dict[str, FieldInfo]]:
    """Settings that several servers take with the same meaning, by the servers that take them."""
    takers: dict[tuple[str, str], list[str]] = {}
    fields: dict[tuple[str, str], tuple[str, FieldInfo]] = {}
    for server in servers:
        for name, field in server.settings.model_fields.items():
            key = (name, describe(field))
            takers.setdefault(key, []).append(server.name)
            fields[key] = (name, field)
    found: dict[tuple[str, ...], dict[str, FieldInfo]] = {}
    for key, names in takers.items():
        if len(names) >= _SHARED:
            name, field = fields[key]
            found.setdefault(tuple(names), {})[name] = field
    return found


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(f'kmcp-{name}' for name in names[:-1])} and kmcp-{names[-1]}"


def _table(fields: Mapping[str, FieldInfo]) -> str:
    return table(
        ("Variable", "Flag", "Meaning"),
        (
            (
                code(variable(name, field)),
                "none: it is a secret" if is_secret(field) else code(flag(name)),
                describe(field),
            )
            for name, field in fields.items()
        ),
    )
