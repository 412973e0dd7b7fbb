"""Programs of the environment that the tests run in."""

import sys
from pathlib import Path


def program(name: str) -> str:
    """Its path."""
    return str(Path(sys.executable).with_name(name))


SUITE, UV = program("kmcp-suite"), program("uv")
