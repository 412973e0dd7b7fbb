"""The suite as a service of a user: files for systemd and for launchd, to be written where each looks for them."""

import os
import plistlib
import sys
from collections.abc import Callable, Sequence

from kmcp_controller.local.instances import data_folder
from kmcp_runtime.connect.programs import ShellSettings, shell_settings

from .shared import read_catalog

_LABEL = "kmcp-suite"
_SECRETS = "%h/.config/kmcp-suite.env"


def systemd(argv: Sequence[str]) -> str:
    """A unit for `~/.config/systemd/user/kmcp-suite.service`."""
    # Only in commands $ begins a variable; in Environment= it is a character as others (systemd.service, systemd.exec).
    start = " ".join(_quoted(word).replace("$", "$$") for word in _program(argv))
    settings = _settings()
    environment = "".join(f"Environment={_quoted(f'{name}={value}')}\n" for name, value in settings.values.items())
    return (
        "# Write it to ~/.config/systemd/user/kmcp-suite.service, then: systemctl --user enable --now kmcp-suite\n"
        "[Unit]\n"
        "Description=MCP tool servers of kmcp-suite\n\n"
        "[Service]\n"
        f"ExecStart={start}\n"
        f"{environment}{_secrets(settings.secrets)}"
        "Restart=on-failure\n"
        "RestartSec=5\n"
        "KillMode=mixed\n\n"
        "[Install]\n"
        "WantedBy=default.target\n"
    )


def launchd(argv: Sequence[str]) -> str:
    """A property list for `~/Library/LaunchAgents/kmcp-suite.plist`; `launchctl load` of it starts it."""
    output, settings = str(data_folder() / "launchd.log"), _settings()
    content = {
        "Label": _LABEL,
        "ProgramArguments": _program(argv),
        "EnvironmentVariables": dict(settings.values),
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "StandardOutPath": output,
        "StandardErrorPath": output,
    }
    text = plistlib.dumps(content).decode()
    if not settings.secrets:
        return text
    note = (
        f"<!-- Secrets of this shell are not here: {', '.join(settings.secrets)}. Without them the service lacks what "
        "they open. Add each below EnvironmentVariables, and chmod 600 this file. -->\n"
    )
    return text.replace("<plist ", f"{note}<plist ", 1)


def _program(argv: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "kmcp_runtime.commands", "up", *argv]


def _settings() -> ShellSettings:
    entries = [each for server in read_catalog(None).servers.values() for each in server.env]
    return shell_settings(entries, os.environ)


def _secrets(names: Sequence[str]) -> str:
    """Where a unit reads secrets from: without that file it does not start, rather than start without them."""
    if not names:
        return ""
    return (
        f"# Secrets of this shell are not in this file: {', '.join(names)}. Write each as NAME=value into\n"
        f"# ~/.config/kmcp-suite.env, a file with mode 0600.\n"
        f"EnvironmentFile={_SECRETS}\n"
    )


def _quoted(word: str) -> str:
    """A word in quotes, as systemd reads it back: escapes as in C, and % doubled, which begins a specifier."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return '"' + "".join(each if each.isprintable() else _escaped(each) for each in escaped) + '"'


def _escaped(character: str) -> str:
    """A line break or another character that would end a line or be lost."""
    return "".join(f"\\x{byte:02x}" for byte in character.encode(errors="surrogateescape"))


UNITS: dict[str, Callable[[Sequence[str]], str]] = {"systemd": systemd, "launchd": launchd}
