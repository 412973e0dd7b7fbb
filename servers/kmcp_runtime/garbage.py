"""Full collections of Python's garbage at moments when nobody waits: each stops every thread of the process.

A full collection looks at every object that can be in a cycle, some 0.1 s for the objects of one large manifest, and
Python begins one whenever many objects were made: in the midst of the calls that are large. Nearly all garbage is
freed by its count, or found while it is young, so a full collection can wait until no call is under way.

Python 3.14.0 to 3.14.4 look through old objects in small steps instead, whatever is set here; later ones as before.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_DUE = 10
"""Collections of the middle generation since the last full one: Python's own threshold."""
_OVERDUE = 500
"""So many of them bring a full one under way, too: some 4 million objects were made and kept meanwhile."""
_NEVER = 1_000_000


@contextmanager
def held_back() -> Iterator[None]:
    """Leave full collections to `collect` meanwhile; for the whole process."""
    youngest, middle, full = gc.get_threshold()
    gc.set_threshold(youngest, middle, _NEVER)
    # What was imported and made at start stays anyway, and is most of what a full collection would look at.
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(youngest, middle, full)


def collect(busy: bool) -> None:
    """A full collection if one is due; while something is under way only if it is long overdue."""
    waiting = gc.get_count()[2]
    if waiting > _OVERDUE or (waiting > _DUE and not busy):
        gc.collect()
