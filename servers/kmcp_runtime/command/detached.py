"""A process that outlives this one: the suite in the background."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

Detached: TypeAlias = "subprocess.Popen[bytes]"


def start_detached(argv: Sequence[str], *, env: Mapping[str, str], log: Path) -> Detached:
    """Start `argv` in a session of its own, with nothing to read and `log` to write to, which only its owner reads.

    The caller may look whether it has ended (`poll`) and leaves it running. Errors: OSError.
    """
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    try:
        return subprocess.Popen(  # noqa: S603  # an argument list, and our own program
            argv,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
        )
    finally:
        os.close(descriptor)
