"""Arguments that several tools of this server take."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from kmcp_runtime import check_name

_SEPARATORS = re.compile(r"[\s,]+")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")
_CLUSTER_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
LONGEST = 1024


def check_operand(value: str) -> str:
    """Refuse what a command line could misread: an empty value, a flag, control characters."""
    if not value.strip():
        raise ValueError("must not be empty")
    # argv is passed without a shell, but the program itself takes a leading - for a flag.
    if value.startswith("-"):
        raise ValueError(f"{value!r} starts with '-', which a value must not")
    if _UNPRINTABLE.search(value):
        raise ValueError("contains a control character")
    if len(value) > LONGEST:
        raise ValueError(f"is longer than {LONGEST} characters")
    return value


def check_element(value: str) -> str:
    """Refuse what would break a list that the command line reads as CSV."""
    if "," in value or '"' in value:
        raise ValueError(f"{value!r} contains a comma or a quotation mark; give each element of the list by itself")
    return check_operand(value)


def split(value: Any) -> Any:
    """A list from a text with spaces or commas between the elements, as older callers send it."""
    return [part for part in _SEPARATORS.split(value) if part] if isinstance(value, str) else value


def as_text(value: Any) -> Any:
    """The text of a number, as callers write the IDs of endpoints."""
    # A boolean is an int in Python, and not an ID.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def check_cluster_name(name: str | None) -> str | None:
    """Refuse what Cilium does not accept as the name of a cluster."""
    if name is not None and not _CLUSTER_NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} is not a valid cluster name: up to 32 lower case letters, digits and '-' (not first or last)"
        )
    return name


def _optional_name(name: str | None) -> str | None:
    return name and check_name(name)


Operand = Annotated[str, AfterValidator(check_operand)]
Element = Annotated[str, AfterValidator(check_element)]
Elements = Annotated[list[Element], BeforeValidator(split), Field(max_length=200)]

EveryNode = Annotated[str | None, AfterValidator(_optional_name), "Node; default all"]
AnyNode = Annotated[str | None, AfterValidator(_optional_name), "Node; default any"]
OneNode = Annotated[str | None, AfterValidator(_optional_name), "Node"]
ClusterName = Annotated[str | None, AfterValidator(check_cluster_name), "Name in a mesh"]
