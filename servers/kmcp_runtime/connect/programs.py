"""What a client has to be told of this machine, so that what it starts works as it does in this shell."""

import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kmcp_runtime import redaction
from kmcp_runtime.catalog import EnvEntry, short_name
from kmcp_runtime.settings import RuntimeSettings, is_of_http, is_secret, read_variable, variable

_PATHS = (
    *("_FILE", "_DIRECTORY", "_HOME", "_INDEX", "_SERVERS"),
    *("KMCP_POLICY", "KMCP_HELM_REPOSITORIES", "KMCP_HELM_REGISTRIES", "SSL_CERT_DIR"),
)
"""Ends of names whose values are paths: a client starts a server in a folder of its own."""
_PROGRAMS = ("KMCP_ISTIOCTL",)
"""A path where there is a slash in it, and else a name on PATH."""
_SURROUNDINGS = ("PATH", "XDG_DATA_HOME", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
"""What no server declares, and without which a service would not find programs, its state or its backends."""
_PREFIXES = ("KMCP_", "OTEL_")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


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
        name: _absolute(name, value)
        for name, value in given.items()
        # An address may hold a password.
        if value and not holds_secret(value)
    }


def holds_secret(text: str) -> bool:
    """Whether a secret stands in it. That redaction cleans a text of control characters does not make it one."""
    return redaction.find_mark(redaction.text(text)) is not None


@dataclass(frozen=True)
class ShellSettings:
    """What this shell sets for the suite: values that may stand in a file, and the names of secrets."""

    values: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()


def shell_settings(entries: Iterable[EnvEntry], environment: Mapping[str, str]) -> ShellSettings:
    """Every setting of the suite and its servers in this shell, with absolute paths, for a service that starts later.

    A placeholder that nothing has expanded goes along as it stands: what it would restrict refuses to start with it.
    """
    fields = RuntimeSettings.model_fields.items()
    declared = {each.name: each.secret for each in entries}
    declared |= {variable(name, field): is_secret(field) for name, field in fields}
    known = {*declared, *_SURROUNDINGS, *map(str.lower, _SURROUNDINGS)}
    values, secrets = dict[str, str](), list[str]()
    for name, value in sorted(environment.items()):
        if not _NAME.fullmatch(name) or (name not in known and not name.startswith(_PREFIXES)):
            continue
        # Of what nobody declares, the name says whether it is a credential.
        shown = value if name in declared else f"{name}={value}"
        if value and (declared.get(name) or holds_secret(shown)):
            secrets.append(name)
        else:
            values[name] = _absolute(name, value)
    return ShellSettings(values, tuple(secrets))


def _absolute(name: str, value: str) -> str:
    """The value, with absolute paths where it is one or, as KUBECONFIG, a list of them."""
    if not value or not read_variable({name: value}, name):
        return value
    if name == "KUBECONFIG":
        return _kubeconfig(value)
    if name.endswith(_PATHS) or (name in _PROGRAMS and os.sep in value):
        return str(Path(value).expanduser().absolute())
    return value


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
