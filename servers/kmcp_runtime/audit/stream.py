"""The audit on stderr, since stdout belongs to the protocol of the stdio transport."""

import sys
from collections.abc import Callable, Mapping
from typing import Any

from kmcp_runtime.audit.chain import Chain
from kmcp_runtime.audit.record import FileEvent


class Stream:
    """A chain of its own for each process: what reads stderr may mix the lines of many."""

    name = "stderr"
    fault = ""

    def __init__(self, key: bytes | None) -> None:
        self._chain = Chain(key=key)

    @property
    def head(self) -> tuple[str, int, str]:
        """Name of the chain, number and hash of the last line."""
        return self._chain.place

    def append(self, body: Mapping[str, Any], describe: Callable[[FileEvent], Mapping[str, Any]]) -> None:
        """Write a line. Errors: OSError, also for a stream that is closed."""
        sealed = self._chain.seal(body)
        try:
            # Looked up at each line: whoever captures stderr replaces it.
            sys.stderr.write(sealed.line.decode("ascii"))
            sys.stderr.flush()
        except ValueError as error:
            raise OSError(str(error)) from None
        self._chain.add(sealed)

    def sync(self) -> None:
        """Nothing is kept back."""

    def close(self) -> None:
        """Nothing to let go of."""
