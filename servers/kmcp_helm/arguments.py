"""Words of arguments that several tools of this server take, and the rights that they need."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from kmcp_runtime import Rule, Word
from kmcp_runtime.helm import values

READS = (Rule("", ("secrets",), ("get", "list")),)
WRITES = (Rule("*", ("*",), ("get", "list", "watch", "create", "update", "patch", "delete")),)
"""A chart may hold objects of any kind; what hooks run is watched."""
REMOVES = (Rule("*", ("*",), ("get", "list", "watch", "create", "update", "delete")),)
"""An uninstall, too, runs hooks: it makes objects before it takes them away."""
_RELEASE = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")
_LONGEST_RELEASE = 53
_LONGEST_CHART = 500
_LONGEST_SECONDS = 3_600
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,17})")
_CONSTANTS = {"true": True, "false": False, "null": None}


def check_release(value: str) -> str:
    """Refuse what Helm would not take as a release's name, or would take for an option."""
    if len(value) > _LONGEST_RELEASE:
        raise ValueError(f"longer than {_LONGEST_RELEASE} characters, the most that Helm takes")
    if not _RELEASE.fullmatch(value):
        raise ValueError(f"{value[:80]!r} is no release name: lower case letters, digits, '-' and '.', not at the ends")
    return value


def check_chart(value: str) -> str:
    if not value or value.startswith("-") or not value.isprintable() or len(value) > _LONGEST_CHART:
        raise ValueError(f"{value[:80]!r} is no chart: give repository/name, oci://…, or an https archive")
    return value


def check_revision(value: int) -> int:
    if value < 0:
        raise ValueError("revisions count from 1")
    return value


def check_timeout(value: int) -> int:
    if not 1 <= value <= _LONGEST_SECONDS:
        raise ValueError(f"between 1 and {_LONGEST_SECONDS} seconds")
    return value


def changes_of(given: Any) -> Any:
    """Paths to values, also as older callers write them: `a=1,b.c=two`."""
    if not isinstance(given, str):
        return given
    pairs = [pair.partition("=") for pair in re.split(r"(?<!\\),", given) if pair.strip()]
    if not all(separator for _, separator, _ in pairs):
        raise ValueError("write an object of paths and values")
    return {path.strip(): _typed(value) for path, _, value in pairs}


def _typed(value: str) -> Any:
    text = value.replace(r"\,", ",")
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    return int(text) if _NUMBER.fullmatch(text) else text


ReleaseName = Annotated[str, AfterValidator(check_release), Word("Release")]
ChartReference = Annotated[str, AfterValidator(check_chart), Word("repo/name, oci://, https")]
Version = Annotated[str | None, Word("Chart version")]
Values = Annotated[dict[str, Any] | None, BeforeValidator(values.read), Word("Over the chart's")]
Set = Annotated[Mapping[str, Any] | None, BeforeValidator(changes_of), Word("By path")]
Revision = Annotated[int, AfterValidator(check_revision), Word("0 = latest")]
EarlierRevision = Annotated[int, AfterValidator(check_revision), Word("0 = previous")]
Wait = Annotated[bool, Word("Until ready")]
TimeoutSeconds = Annotated[int, AfterValidator(check_timeout), Word("Seconds")]
