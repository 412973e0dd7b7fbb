"""Exec plugins of a kubeconfig: programs that hand out a token or a certificate, as client-go runs them.

A plugin gets no standard input: a server has no terminal, and its standard input may be the client's connection.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kmcp_runtime import command, json_text, redaction, yaml_text
from kmcp_runtime.errors import ToolFailure, unavailable
from kmcp_runtime.kube.kubeconfig_files import Plugin, UserEntry

_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
_MODES = ("Never", "IfAvailable", "Always")
_SECONDS = 60.0
_MOST_LINES = 20


@dataclass(frozen=True)
class Issued:
    """What a plugin handed out; certificate and key are PEM."""

    token: str
    certificate: str
    key: str
    expires: datetime | None


def check(user: UserEntry) -> Plugin:
    """The plugin of a user. Errors: `unavailable`, naming the field that kubectl refuses."""
    plugin = user.plugin
    assert plugin is not None, "asked for a user without plugin"
    if user.provider is not None:
        raise _faulty(user, "auth-provider and exec", "cannot be used together")
    for field, value in (("command", plugin.command), ("apiVersion", plugin.api_version)):
        if not value:
            raise _faulty(user, f"exec.{field}", "is missing")
    if plugin.api_version not in _VERSIONS:
        raise _faulty(user, "exec.apiVersion", f"is {plugin.api_version!r}, not one of {', '.join(_VERSIONS)}")
    if plugin.interactive_mode not in _MODES:
        problem = f"is {plugin.interactive_mode!r}" if plugin.interactive_mode else "is missing"
        raise _faulty(user, "exec.interactiveMode", f"{problem}: it must be one of {', '.join(_MODES)}")
    for number, (name, value) in enumerate(plugin.env):
        if not name or "=" in name or "\0" in name + value:
            raise _faulty(user, f"exec.env[{number}]", "has no name that a variable can have")
    return plugin


async def run(user: UserEntry, cluster: Mapping[str, Any] | None) -> Issued:
    """Run the user's plugin. `cluster` is what it is told of the cluster, None where it is told nothing.

    Errors: `unavailable` with the plugin's own words.
    """
    plugin = check(user)
    if plugin.interactive_mode == "Always":
        raise unavailable(
            f"the exec plugin {plugin.command} of {user.where} needs a terminal (interactiveMode Always)",
            "a server has none: use a plugin or a token that needs nobody to type",
        )
    spec: dict[str, Any] = {"interactive": False} | ({"cluster": dict(cluster)} if cluster is not None else {})
    request = {"kind": "ExecCredential", "apiVersion": plugin.api_version, "spec": spec}
    environment = {**os.environ, **dict(plugin.env), "KUBERNETES_EXEC_INFO": json.dumps(request)}
    program = shutil.which(plugin.command)  # on this process's PATH, whatever the plugin's own is
    if program is None:
        raise unavailable(
            f"the exec plugin {plugin.command} of {user.where} is not there, or is not executable",
            redaction.text(plugin.install_hint.strip()) or f"install {os.path.basename(plugin.command)}",
        )
    ended = await command.run([program, *plugin.args], env=environment, seconds=_SECONDS)
    if ended.code != 0:
        raise _failed(user, plugin, ended)
    return _issued(user, plugin, ended.stdout)


def _failed(user: UserEntry, plugin: Plugin, ended: command.Ended) -> ToolFailure:
    said = ended.stderr.strip() or ended.stdout.strip()
    words = redaction.text("\n".join(said.splitlines()[-_MOST_LINES:]))
    return unavailable(
        f"the exec plugin {plugin.command} of {user.where} failed ({command.ended(ended.code)})"
        + (f": {words}" if words else ""),
        "do what it says, as the user that this server runs as, and call again",
    )


def _issued(user: UserEntry, plugin: Plugin, stdout: str) -> Issued:
    answer = _read(stdout)
    if not isinstance(answer, dict) or answer.get("kind") != "ExecCredential":
        raise _wrong(user, plugin, "did not print an ExecCredential")
    if answer.get("apiVersion") != plugin.api_version:
        raise _wrong(user, plugin, f"answered in {answer.get('apiVersion')!r}, not in {plugin.api_version}")
    status = answer.get("status")
    if not isinstance(status, dict):
        raise _wrong(user, plugin, "printed no status")
    token, certificate, key, expires = (
        _text(user, plugin, status, name)
        for name in ("token", "clientCertificateData", "clientKeyData", "expirationTimestamp")
    )
    for secret in (token, key):
        redaction.learn(secret)
    if not token and not certificate and not key:
        raise _wrong(user, plugin, "printed neither a token nor a certificate")
    if bool(certificate) != bool(key):
        raise _wrong(user, plugin, "printed a certificate or a key, not both")
    return Issued(token, certificate, key, _moment(user, plugin, expires))


def _read(stdout: str) -> Any:
    try:
        return json_text.read(stdout)
    except ValueError:
        pass  # YAML is taken too
    try:
        return next(yaml_text.read_all(stdout, repeated_keys=True), None)
    except yaml_text.YamlError:
        return None


def _text(user: UserEntry, plugin: Plugin, status: Mapping[str, Any], name: str) -> str:
    found = status.get(name)
    if found is not None and not isinstance(found, str):
        raise _wrong(user, plugin, f"printed a status.{name} that is not a text")
    return found or ""


def _moment(user: UserEntry, plugin: Plugin, text: str) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise _wrong(user, plugin, "printed a status.expirationTimestamp that is not a time of RFC 3339")
    return found


def _wrong(user: UserEntry, plugin: Plugin, problem: str) -> ToolFailure:
    return unavailable(f"the exec plugin {plugin.command} of {user.where} {problem}", "correct or update the plugin")


def _faulty(user: UserEntry, field: str, problem: str) -> ToolFailure:
    return unavailable(f"{user.where}.{field} {problem}", "correct the kubeconfig")
