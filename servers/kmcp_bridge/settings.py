"""Settings of the bridge; the command of its child comes after `--` on the command line."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from kmcp_runtime.settings import Settings, listed, setting

from .allowed import Allowed


class BridgeSettings(Settings):
    host: str = setting("", "Address to listen on (empty: all addresses in a pod, otherwise loopback)")
    port: int = setting(3000, "Port of /mcp", ge=1, le=65535)
    management_port: int = setting(8081, "Port of /healthz, /readyz and /metrics (0: none)", ge=0, le=65535)
    tools: str | None = setting(
        None, "Only these tools, separated by commas (a comma alone: none; unset or empty: all)"
    )
    read_only: bool = setting(False, "Only tools of which the server says that they change nothing (readOnlyHint)")
    isolation: Literal["none", "session"] = setting(
        "none", "Whether each session gets a process of its own", env="KMCP_BRIDGE_ISOLATION"
    )
    most_sessions: int = setting(
        32,
        "Isolated sessions at a time; a new one ends the one that has been idle longest",
        env="KMCP_BRIDGE_SESSIONS",
        ge=1,
    )
    session_idle: float = setting(
        1800,
        "Time without a request after which an isolated session ends",
        unit="seconds",
        env="KMCP_BRIDGE_SESSION_IDLE",
        gt=0,
    )
    handshake: float = setting(
        120,
        "Time for the process to answer its handshake, including the download",
        unit="seconds",
        env="KMCP_BRIDGE_HANDSHAKE",
        gt=0,
    )
    patience: float = setting(
        20,
        "How long a request waits for a process that is starting",
        unit="seconds",
        env="KMCP_BRIDGE_PATIENCE",
        gt=0,
    )
    timeout: float = setting(
        300,
        "How long a request waits for its answer, or for progress of it",
        unit="seconds",
        env="KMCP_BRIDGE_TIMEOUT",
        gt=0,
    )
    largest_answer: int = setting(
        16 * 1024 * 1024,
        "Size of one message of the process; a longer one fails its request",
        unit="bytes",
        env="KMCP_BRIDGE_LARGEST_ANSWER",
        ge=1024,
    )
    allowed_hosts: str = setting("", "Host headers to accept beside loopback, separated by commas")
    allowed_origins: str = setting("", "Browser origins to accept, separated by commas")
    log_level: Literal["debug", "info", "warning", "error"] = setting("info", "Lowest severity that is logged")

    def allowed(self) -> Allowed:
        return Allowed(None if self.tools is None else frozenset(listed(self.tools)), self.read_only)

    def address(self, environment: Mapping[str, str]) -> str:
        """In a pod a NetworkPolicy decides who may connect; elsewhere only an explicit host opens it to a network."""
        everywhere = "0.0.0.0"  # noqa: S104  # the pod's own network
        return self.host or (everywhere if "KUBERNETES_SERVICE_HOST" in environment else "127.0.0.1")


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of the child: ours, with the caches of package runners where a pod can write."""
    folder = Path(environment.get("TMPDIR") or tempfile.gettempdir())
    caches = {
        "UV_CACHE_DIR": "uv-cache",
        "UV_TOOL_DIR": "uv-tools",
        "UV_PYTHON_INSTALL_DIR": "uv-python",
        "npm_config_cache": "npm-cache",
    }
    return {name: os.fspath(folder / place) for name, place in caches.items()} | dict(environment)
