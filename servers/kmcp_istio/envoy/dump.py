"""A config dump: its sections by kind."""

import json
from collections.abc import Mapping
from typing import Any

from kmcp_istio.envoy.fields import type_of
from kmcp_runtime import unavailable

Section = Mapping[str, Any]
_SUFFIX = "ConfigDump"


class Dump:
    """The sections of one answer of `/config_dump`."""

    def __init__(self, content: bytes, source: str) -> None:
        self._sections: dict[str, dict[str, Any]] = {}
        for section in _configs(content, source):
            # envoy.admin.v3.ClustersConfigDump: the last word without its suffix names the section.
            kind = type_of(section).rpartition(".")[2].removesuffix(_SUFFIX)
            _join(self._sections.setdefault(kind, {}), section)

    def section(self, kind: str) -> Section:
        """`Bootstrap`, `Clusters`, `Ecds`, `Endpoints`, `Listeners`, `Routes` or `Secrets`; empty where absent."""
        return self._sections.get(kind, {})

    @property
    def kinds(self) -> list[str]:
        return list(self._sections)


def _configs(content: bytes, source: str) -> list[Section]:
    try:
        found = json.loads(content)["configs"]
    except (ValueError, KeyError, TypeError):
        raise unavailable(f"{source} did not answer with a config dump: {content[:80]!r}") from None
    return [section for section in found if isinstance(section, dict)]


def _join(into: dict[str, Any], section: Section) -> None:
    for key, value in section.items():
        # A section may come in several parts, whose lists belong together.
        if isinstance(value, list) and isinstance(into.get(key), list):
            into[key] = [*into[key], *value]
        else:
            into[key] = value
