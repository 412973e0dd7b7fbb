"""Arguments that several tools of this server take, and the rights that these tools need."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from kmcp_runtime import DOCUMENT, Rule
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
# Linux takes no word of more than 128 KiB on a command line (MAX_ARG_STRLEN).
_LONGEST_SET = 100_000


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


def check_set(value: Mapping[str, Any] | str | None) -> Mapping[str, Any] | str | None:
    """Refuse a text that no command line takes; what it says is for helm to read."""
    if isinstance(value, str) and ("\0" in value or len(value.encode()) > _LONGEST_SET):
        raise ValueError(f"it contains a NUL character or has more than {_LONGEST_SET} bytes: use values")
    return value


ReleaseName = Annotated[str, AfterValidator(check_release), "Release"]
ChartReference = Annotated[str, AfterValidator(check_chart), "repo/name, oci://, https"]
Version = Annotated[str | None, "Chart version"]
Values = Annotated[dict[str, Any] | None, BeforeValidator(values.read), "Override the chart's", DOCUMENT]
Set = Annotated[Mapping[str, Any] | str | None, AfterValidator(check_set), "Values by path", DOCUMENT]
Revision = Annotated[int, AfterValidator(check_revision), "0 = latest"]
EarlierRevision = Annotated[int, AfterValidator(check_revision), "0 = previous"]
Wait = Annotated[bool, "Until ready"]
TimeoutSeconds = Annotated[int, AfterValidator(check_timeout), "Seconds"]
