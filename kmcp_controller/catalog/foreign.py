"""What a server says may be anything: values as what they should be, empty where they are something else."""

from collections.abc import Mapping
from typing import Any


def text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
