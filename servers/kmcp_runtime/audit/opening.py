"""The trail that the settings ask for."""

import importlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from kmcp_runtime import redaction
from kmcp_runtime.audit.audit_file import AuditFile
from kmcp_runtime.audit.audit_metrics import AuditMetrics
from kmcp_runtime.audit.stream import Stream
from kmcp_runtime.audit.trail import Sink, Trail
from kmcp_runtime.settings import RuntimeSettings, SettingsError, listed

SINKS = ("stderr", "file", "otlp")
_SHORTEST_KEY_BYTES = 32
_MEGABYTE = 1 << 20
_KEY = "--audit-key-file / KMCP_AUDIT_KEY_FILE"


def open_trail(runtime: RuntimeSettings, metrics: AuditMetrics) -> Trail:
    """Errors: `SettingsError` for a place that cannot be written, and for settings that do not fit together."""
    return Trail(list(_sinks(runtime, metrics)), metrics, runtime.audit == "required")


def _sinks(runtime: RuntimeSettings, metrics: AuditMetrics) -> Iterator[Sink]:
    names = _names(runtime)
    if not names:
        return
    key = read_key(runtime.audit_key_file, _KEY) if runtime.audit_key_file else None
    if "stderr" in names:
        yield Stream(key)
    if "file" in names:
        path = Path(expanded(runtime.audit_file)).absolute()
        yield AuditFile(path, key, runtime.audit_file_megabytes * _MEGABYTE, runtime.audit_files)
    if "otlp" in names:
        # By name: it loads an HTTP client, which a process that sends nothing need not have.
        exporter = importlib.import_module("kmcp_runtime.audit.otlp")
        sink: Sink = exporter.open_exporter(runtime, key, metrics)
        yield sink


def _names(runtime: RuntimeSettings) -> tuple[str, ...]:
    if runtime.audit is False:
        return ()
    places = {"file": runtime.audit_file, "otlp": runtime.audit_otlp_endpoint}
    names = listed(runtime.audit_sinks) or tuple(name for name, place in places.items() if place) or ("stderr",)
    where = "--audit-sinks / KMCP_AUDIT_SINKS"
    if unknown := [name for name in names if name not in SINKS]:
        raise SettingsError(f"{where}: no sink {unknown[0][:40]!r}; there are {', '.join(SINKS)}")
    if missing := [name for name in names if name in places and not places[name]]:
        setting = {"file": "KMCP_AUDIT_FILE", "otlp": "KMCP_AUDIT_OTLP_ENDPOINT"}[missing[0]]
        raise SettingsError(f"{where}: {missing[0]} needs {setting}, which says where lines go")
    if runtime.audit == "required" and set(names) == {"otlp"}:
        raise SettingsError(
            "--audit / KMCP_AUDIT: required needs a sink that has a line before a change begins: add file or stderr to "
            "KMCP_AUDIT_SINKS, since lines to otlp are on their way for a while"
        )
    return names


def expanded(path: str) -> str:
    """A path in which `{hostname}` and `{pid}` are those of this process."""
    return path.replace("{hostname}", socket.gethostname()).replace("{pid}", str(os.getpid()))


def read_key(path: str, setting: str) -> bytes:
    """The key in a file, blanks around it left out. Errors: `SettingsError`."""
    try:
        key = Path(path).read_bytes().strip()
    except OSError as error:
        raise SettingsError(f"{setting}: {path}: {error.strerror}") from None
    if len(key) < _SHORTEST_KEY_BYTES:
        raise SettingsError(
            f"{setting}: {path} holds {len(key)} bytes and needs {_SHORTEST_KEY_BYTES} or more; "
            "`openssl rand -base64 32` makes a key"
        )
    redaction.learn(key.decode(errors="replace"))
    return key
