"""Arguments that several tools of this server take, and the rights that these tools need."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from kmcp_runtime import Rule
from kmcp_runtime.helm import values

READS = (Rule("", ("secrets",), ("get", "list")),)
WRITES = (Rule("*", ("*",), ("get", "list", "watch", "create", "update", "patch", "delete")),)
"""A chart may hold objects of any kind, and helm watches what hooks run."""
REMOVES = (Rule("*", ("*",), ("get", "list", "watch", "create", "update", "delete")),)
"""An uninstall runs hooks too: it creates objects before it deletes them."""
_RELEASE = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")
# Helm's own limit: it leaves room for what charts append to the name within the 63 characters of a DNS label.
_LONGEST_RELEASE = 53
_LONGEST_CHART = 500
_LONGEST_SECONDS = 3_600
# A leading zero stays text, as in `helm --set`: 010 may be a code; 18 digits fit an int64.
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,17})")
_CONSTANTS = {"true": True, "false": False, "null": None}


def check_release(value: str) -> str:
    """Refuse what Helm would not accept as the name of a release, or would read as an option."""
    if len(value) > _LONGEST_RELEASE:
        raise ValueError(f"it is longer than {_LONGEST_RELEASE} characters, the most that Helm accepts")
    if not _RELEASE.fullmatch(value):
        raise ValueError(
            f"{value[:80]!r} is not a valid release name: use lower-case letters, digits, '-' and '.', not at the ends"
        )
    return value


def check_chart(value: str) -> str:
    # Helm would read a leading '-' as an option.
    if not value or value.startswith("-") or not value.isprintable() or len(value) > _LONGEST_CHART:
        raise ValueError(f"{value[:80]!r} is not a chart reference: give repository/name, oci://…, or an https archive")
    return value


def check_revision(value: int) -> int:
    if value < 0:
        raise ValueError("revision numbers start at 1")
    return value


def check_timeout(value: int) -> int:
    if not 1 <= value <= _LONGEST_SECONDS:
        raise ValueError(f"it must be between 1 and {_LONGEST_SECONDS} seconds")
    return value


def changes_of(given: Any) -> Any:
    """Values by path, also in the form that older callers write: `a=1,b.c=two`."""
    if not isinstance(given, str):
        return given
    # Helm escapes a comma in a value with a backslash.
    pairs = [pair.partition("=") for pair in re.split(r"(?<!\\),", given) if pair.strip()]
    if not all(separator for _, separator, _ in pairs):
        raise ValueError("give an object that maps paths to values")
    return {path.strip(): _typed(value) for path, _, value in pairs}


def _typed(value: str) -> Any:
    text = value.replace(r"\,", ",")
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    return int(text) if _NUMBER.fullmatch(text) else text


ReleaseName = Annotated[str, AfterValidator(check_release), "Release"]
ChartReference = Annotated[str, AfterValidator(check_chart), "repo/name, oci://, https"]
Version = Annotated[str | None, "Chart version"]
Values = Annotated[dict[str, Any] | None, BeforeValidator(values.read), "Override the chart's"]
Set = Annotated[Mapping[str, Any] | None, BeforeValidator(changes_of), "Values by path"]
Revision = Annotated[int, AfterValidator(check_revision), "0 = latest"]
EarlierRevision = Annotated[int, AfterValidator(check_revision), "0 = previous"]
Wait = Annotated[bool, "Until ready"]
TimeoutSeconds = Annotated[int, AfterValidator(check_timeout), "Seconds"]
