"""What a client has to be told of this machine, so that what it starts works as it does in this shell."""

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from kmcp_runtime import redaction
from kmcp_runtime.catalog import EnvEntry, short_name
from kmcp_runtime.settings import RuntimeSettings, is_of_http, is_secret, read_variable, variable

_PATHS = ("_FILE", "_FILES", "_DIRECTORY", "_HOME", "_INDEX", "_SERVERS")
"""Ends of names whose values are paths: a client starts a server in a folder of its own."""


def program_of(name: str, scripts: Path | None = None) -> tuple[str, ...]:
    """The command of a server's script, or of `kmcp-suite` itself, by an absolute path."""
    script = (scripts or Path(sys.executable).absolute().parent) / name
    if script.exists():
        return (str(script),)
    start = (sys.executable, "-m", "kmcp_runtime.commands")
    return start if name == "kmcp-suite" else (*start, "serve", short_name(name))


def over_stdio(name: str, scripts: Path | None = None) -> tuple[str, ...]:
    """The command that serves one server to a client that starts it."""
    return (*program_of(name, scripts), "--transport", "stdio")


def known_values(entries: Iterable[EnvEntry], environment: Mapping[str, str]) -> dict[str, str]:
    """Settings of this shell that may stand in a file, with absolute paths; nothing that looks like a secret."""
    names = [each.name for each in entries if not each.secret] + _own_names()
    given = {name: value for name in names if (value := read_variable(environment, name))}
    if "KUBECONFIG" in names:
        given["KUBECONFIG"] = _kubeconfig(given.get("KUBECONFIG", ""))
    return {
        name: str(Path(value).expanduser().absolute()) if name.endswith(_PATHS) else value
        for name, value in given.items()
        # An address may hold a password.
        if value and redaction.text(value) == value
    }


def _own_names() -> list[str]:
    """Of every server: whoever restricts it in this shell means it for the client, too."""
    fields = RuntimeSettings.model_fields.items()
    found = [(name, field) for name, field in fields if not is_of_http(field) and not is_secret(field)]
    return [variable(name, field) for name, field in found if name != "transport"]


def _kubeconfig(value: str) -> str:
    """Every file of it by its absolute path; kubectl's default where none is named."""
    files = [each for each in value.split(os.pathsep) if each]
    default = Path("~/.kube/config").expanduser()
    if not files:
        return str(default) if default.is_file() else ""
    return os.pathsep.join(str(Path(each).expanduser().absolute()) for each in files)
