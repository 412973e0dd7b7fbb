"""How long the suite on this machine waits before it asks a server for its tools again."""

_USUAL, _FIRST, _LONGEST = 300.0, 1.0, 60.0  # seconds


def ask_pause(failures: int) -> float:
    """Seconds until a server is asked again; `failures` in a row make it ever more."""
    return min(_FIRST * 2.0 ** min(failures - 1, 10), _LONGEST) if failures else _USUAL
