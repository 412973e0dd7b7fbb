"""The suite as a service of a user: files for systemd and for launchd, to be written where each looks for them."""

import os
import plistlib
import sys
from collections.abc import Callable, Mapping, Sequence

from kmcp_controller.local.instances import data_folder

_LABEL = "kmcp-suite"
_KEPT = ("PATH", "KUBECONFIG")
"""Of the environment: a service starts with neither."""


def systemd(argv: Sequence[str]) -> str:
    """A unit for `~/.config/systemd/user/kmcp-suite.service`."""
    start = " ".join(map(_quoted, _program(argv)))
    environment = "".join(f"Environment={_quoted(f'{name}={value}')}\n" for name, value in _environment().items())
    return (
        "# Write it to ~/.config/systemd/user/kmcp-suite.service, then: systemctl --user enable --now kmcp-suite\n"
        "[Unit]\n"
        "Description=MCP tool servers of kmcp-suite\n\n"
        "[Service]\n"
        f"ExecStart={start}\n"
        f"{environment}"
        "Restart=on-failure\n"
        "RestartSec=5\n"
        "KillMode=mixed\n\n"
        "[Install]\n"
        "WantedBy=default.target\n"
    )


def launchd(argv: Sequence[str]) -> str:
    """A property list for `~/Library/LaunchAgents/kmcp-suite.plist`; `launchctl load` of it starts it."""
    output = str(data_folder() / "launchd.log")
    content = {
        "Label": _LABEL,
        "ProgramArguments": _program(argv),
        "EnvironmentVariables": dict(_environment()),
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "StandardOutPath": output,
        "StandardErrorPath": output,
    }
    return plistlib.dumps(content).decode()


def _program(argv: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "kmcp_runtime.commands", "up", *argv]


def _environment() -> Mapping[str, str]:
    return {name: os.environ[name] for name in _KEPT if os.environ.get(name)}


def _quoted(word: str) -> str:
    """As systemd reads a word: in quotes, with its specifiers and variables switched off."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


UNITS: dict[str, Callable[[Sequence[str]], str]] = {"systemd": systemd, "launchd": launchd}
