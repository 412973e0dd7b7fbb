"""Which cluster is started when none is given: k3s where a container engine answers, else our own build."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tests.cluster import k3s, own_build
from tests.cluster.model import Running


def start(directory: Path, stack: ExitStack, say: Callable[[str], None]) -> Running:
    """Start it with its files below `directory`; `stack` receives what ends it."""
    return k3s.start(directory, stack, say) or own_build.start(directory, stack, say)
