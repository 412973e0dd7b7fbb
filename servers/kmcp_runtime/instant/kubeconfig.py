"""What a kubeconfig says of the list of tools: with two contexts or more, every tool takes one of them.

Only what is plain is read: one file, in the forms that `kubectl config` and people write; everything else is the
engine's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

_LARGEST = 1 << 20
_ITEM = re.compile(r"(- |  )(name|context):(?: +([A-Za-z][\w./:@+-]*|\"[A-Za-z][\w./:@ +-]*\"))?[ ]*")
_CURRENT = re.compile(r"current-context: +([A-Za-z][\w./:@+-]*)[ ]*")
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


def facts(given: Mapping[str, Any], environment: Mapping[str, str]) -> Mapping[str, Any] | None:
    """The argument `context` where there is a choice; None where only the engine can tell."""
    if "contexts" in given:
        return None
    named = given.get("kubeconfig")
    if named is None and environment.get("KUBERNETES_SERVICE_HOST"):
        return None
    path = named or os.path.join(os.path.expanduser("~"), ".kube", "config")
    if os.pathsep in path or path.startswith("~"):
        return None
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(_LARGEST + 1)
    except FileNotFoundError:
        return {}  # there is no context at all, and the first call says so
    except (OSError, UnicodeDecodeError):
        return None
    found = _contexts(text) if len(text) <= _LARGEST else None
    if found is None:
        return None
    names, current = found
    if len(names) < 2:
        return {}
    default = f"; default {current}" if current in names else ""
    schema = {"description": f"Cluster{default}", "enum": names, "type": "string"}
    return {"arguments": {"context": schema}}


def _contexts(text: str) -> tuple[list[str], str] | None:
    """The names of the contexts and the current one; None where the text is not in the form of kubectl."""
    lines = text.splitlines()
    if "contexts:" not in lines or any(not line.isprintable() for line in lines):
        return None
    top = [line for line in lines if line[:1] not in (" ", "-", "", "#")]
    keys = [line.partition(":")[0] for line in top]
    if len(set(keys)) < len(keys) or not all(key.replace("-", "").isalnum() for key in keys):
        return None
    below = lines[lines.index("contexts:") + 1 :]
    end = next((index for index, line in enumerate(below) if line in top), len(below))
    names: list[str] = []
    if not all(_read_item(line, names) for line in below[:end]):
        return None
    current = next((_CURRENT.fullmatch(line) for line in top if line.startswith("current-context:")), None)
    items = sum(line.startswith("- ") for line in below[:end])
    if current is None or items != len(names) or len(set(names)) < len(names):
        return None
    return None if _WORDS & {name.lower() for name in [*names, current[1]]} else (names, current[1])


def _read_item(line: str, names: list[str]) -> bool:
    """Take the name of a line of the list of contexts; False for what kubectl does not write."""
    if line.startswith(("    ", "- context:")) and not line.startswith("- context: "):
        return True
    match = _ITEM.fullmatch(line)
    if match and match[2] == "context" and not match[3]:  # behind the name, as people write it
        return True
    if not match or match[2] != "name" or not match[3]:
        return False
    names.append(match[3].strip('"'))
    return True
