"""The kubeconfig as kubectl reads it: the files of KUBECONFIG merged, the first one wins for each name.

Only the shape is checked here, as kubectl does when it loads: what an entry says is judged when it is used
(`kmcp_runtime.kube.credentials`), so a broken user that nobody chooses stops nobody.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from kmcp_runtime import yaml_text
from kmcp_runtime.errors import unavailable
from kmcp_runtime.kube.fields import Fields

EXEC_EXTENSION = "client.authentication.k8s.io/exec"
"""The extension of a cluster that is meant for exec plugins."""
WHAT_TO_SET = "set KUBECONFIG (or --kubeconfig) to a kubeconfig file, or run in a pod with a service account"
_READ_HINT = "correct the kubeconfig, or set KUBECONFIG (or --kubeconfig) to another"


@dataclass(frozen=True)
class Plugin:
    """A program that hands out credentials."""

    command: str
    """A path, absolute, or a name to look for on PATH."""
    args: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    api_version: str
    install_hint: str
    provide_cluster: bool
    interactive_mode: str


@dataclass(frozen=True)
class ClusterEntry:
    """One entry of `clusters`; paths are absolute, an absent field is empty."""

    where: str = ""
    """Where it stands, in words; empty when there is no such entry."""
    server: str = ""
    tls_server_name: str = ""
    insecure: bool = False
    authority: str = ""
    authority_data: bytes = b""
    proxy: str = ""
    disable_compression: bool = False
    exec_extension: Any = None


@dataclass(frozen=True)
class UserEntry:
    """One entry of `users`; paths are absolute, an absent field is empty."""

    where: str = ""
    """Where it stands, in words; empty when there is no such entry."""
    certificate: str = ""
    certificate_data: bytes = b""
    key: str = ""
    key_data: bytes = b""
    token: str = ""
    token_file: str = ""
    username: str = ""
    password: str = ""
    provider: str | None = None
    """The name of an auth-provider."""
    provider_config: Mapping[str, str] = field(default_factory=dict)
    plugin: Plugin | None = None
    act_as: str = ""
    act_as_uid: str = ""
    act_as_groups: tuple[str, ...] = ()
    act_as_extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class ContextEntry:
    """One entry of `contexts`."""

    where: str = ""
    cluster: str = ""
    user: str = ""
    namespace: str = ""


@dataclass(frozen=True)
class Kubeconfig:
    """All files together."""

    files: tuple[str, ...] = ()
    current: str = ""
    contexts: Mapping[str, ContextEntry] = field(default_factory=dict)
    clusters: Mapping[str, ClusterEntry] = field(default_factory=dict)
    users: Mapping[str, UserEntry] = field(default_factory=dict)


Entry = TypeVar("Entry")


def paths(setting: str, environment: Mapping[str, str] = os.environ) -> list[str]:
    """The files that apply, present or not: those of the setting, else ~/.kube/config where it is there."""
    named = list(dict.fromkeys(part for part in setting.split(os.pathsep) if part))
    default = Path(environment.get("HOME") or "/nonexistent") / ".kube" / "config"
    return named or ([str(default)] if default.is_file() else [])


def load(files: Sequence[str]) -> Kubeconfig:
    """The files merged; one that is absent is passed over. Errors: `unavailable`, naming the file and the field."""
    return _merge([_parse(path) for path in files if Path(path).exists()])


def _merge(found: Sequence[Kubeconfig]) -> Kubeconfig:
    merged = Kubeconfig()
    for each in found:
        merged = Kubeconfig(
            (*merged.files, *each.files),
            merged.current or each.current,
            {**each.contexts, **merged.contexts},
            {**each.clusters, **merged.clusters},
            {**each.users, **merged.users},
        )
    # In the order of the files, although the first wins.
    return Kubeconfig(
        merged.files,
        merged.current,
        {name: merged.contexts[name] for each in found for name in each.contexts},
        merged.clusters,
        merged.users,
    )


def _parse(path: str) -> Kubeconfig:
    top = Fields(_content(path), path)
    kind, version = top.text("kind"), top.text("apiVersion")
    if kind not in ("", "Config"):
        raise top.fault("kind", f"is {kind[:80]!r}, not Config", _READ_HINT)
    if version not in ("", "v1"):
        raise top.fault("apiVersion", f"is {version[:80]!r}, not v1", _READ_HINT)
    # Nothing here is used, and kubectl loads no file where it has another form.
    top.section("preferences").flag("colors")
    _extensions(top)
    folder = Path(os.path.abspath(path)).parent  # not resolved: kubectl follows no link to find the folder
    return Kubeconfig(
        (path,),
        top.text("current-context"),
        _named(top, "contexts", "context", _context),
        _named(top, "clusters", "cluster", lambda each: _cluster(each, folder)),
        _named(top, "users", "user", lambda each: _user(each, folder)),
    )


def _content(path: str) -> dict[str, Any]:
    try:
        text = Path(path).read_bytes().decode().removeprefix("\ufeff")
        # The first document alone, as kubectl; a key that is there twice counts as its last.
        content = next(yaml_text.read_all(text, repeated_keys=True), None)
    except OSError as error:
        raise unavailable(f"cannot read the kubeconfig {path}: {error.strerror}", WHAT_TO_SET) from None
    except UnicodeDecodeError:
        raise unavailable(f"the kubeconfig {path} is not a text in UTF-8", _READ_HINT) from None
    except yaml_text.YamlError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        # Only what this reader itself says: another's words may quote the file.
        problem = f": {error.problem}" if isinstance(error, yaml_text.TooLarge) else ""
        raise unavailable(f"the kubeconfig {path} is not valid YAML{place}{problem}", _READ_HINT) from None
    if content is not None and not isinstance(content, dict):
        raise unavailable(f"the kubeconfig {path} is not a mapping with contexts, clusters and users", _READ_HINT)
    return content or {}


def _named(top: Fields, section: str, below: str, read: Callable[[Fields], Entry]) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for item in top.sections(section):
        name = item.text("name")
        if name in found:
            raise item.fault("name", f"is {name!r}, as that of another entry of {section}")
        found[name] = read(item.section(below))
    return found


def _extensions(entry: Fields) -> Mapping[str, Any]:
    return {each.text("name"): each.raw("extension") for each in entry.sections("extensions")}


def _context(entry: Fields) -> ContextEntry:
    _extensions(entry)
    return ContextEntry(
        f"kubeconfig {entry.file}: {entry.path}", entry.text("cluster"), entry.text("user"), entry.text("namespace")
    )


def _cluster(entry: Fields, folder: Path) -> ClusterEntry:
    return ClusterEntry(
        f"kubeconfig {entry.file}: {entry.path}",
        entry.text("server"),
        entry.text("tls-server-name"),
        entry.flag("insecure-skip-tls-verify"),
        _absolute(entry.text("certificate-authority"), folder),
        entry.data("certificate-authority-data"),
        entry.text("proxy-url"),
        entry.flag("disable-compression"),
        _extensions(entry).get(EXEC_EXTENSION),
    )


def _user(entry: Fields, folder: Path) -> UserEntry:
    provider = entry.section("auth-provider")
    configured = provider.section("config")
    extra = entry.section("as-user-extra")
    _extensions(entry)
    return UserEntry(
        f"kubeconfig {entry.file}: {entry.path}",
        _absolute(entry.text("client-certificate"), folder),
        entry.data("client-certificate-data"),
        _absolute(entry.text("client-key"), folder),
        entry.data("client-key-data"),
        entry.text("token"),
        _absolute(entry.text("tokenFile"), folder),
        entry.text("username"),
        entry.text("password"),
        provider.text("name") if entry.has("auth-provider") else None,
        {key: configured.text(key) for key in configured.keys()},  # noqa: SIM118  # not a mapping
        _plugin(entry.section("exec"), folder) if entry.has("exec") else None,
        entry.text("as"),
        entry.text("as-uid"),
        entry.texts("as-groups"),
        {key: extra.texts(key) for key in extra.keys()},  # noqa: SIM118  # not a mapping
    )


def _plugin(entry: Fields, folder: Path) -> Plugin:
    command, version = entry.text("command"), entry.text("apiVersion")
    mode = entry.text("interactiveMode")
    if not mode and version.endswith(("/v1alpha1", "/v1beta1")):
        mode = "IfAvailable"
    return Plugin(
        # A name without a slash is looked for on PATH.
        _absolute(command, folder) if os.sep in command else command,
        entry.texts("args"),
        tuple((each.text("name"), each.text("value")) for each in entry.sections("env")),
        version,
        entry.text("installHint"),
        entry.flag("provideClusterInfo"),
        mode,
    )


def _absolute(path: str, folder: Path) -> str:
    return os.path.normpath(folder / path) if path else ""
