"""What is the same for all processes of one run: the process that controls it decides, xdist workers are told."""

import os
import uuid
from typing import Any, NamedTuple

import pytest


class Run(NamedTuple):
    name: str
    """Of the run, and of the cluster that it starts."""
    pid: int
    """The process that controls the run: what all in it ends with."""
    missing_backends: list[str]
    """Those that were not built when the run began; a background process builds them, or the first test that asks."""


_INPUT = "kmcp_run"
_run = pytest.StashKey[Run]()


def begin(config: pytest.Config, missing_backends: list[str]) -> bool:
    """Whether this process controls the run; a worker takes what it was told instead."""
    if is_worker(config):
        config.stash[_run] = Run(*config.workerinput[_INPUT])  # type: ignore[attr-defined]  # xdist's
        return False
    config.stash[_run] = Run(f"run-{uuid.uuid4().hex[:12]}", os.getpid(), missing_backends)
    return True


def share(config: pytest.Config, workerinput: dict[str, Any]) -> None:
    """Tell a worker that is about to start."""
    workerinput[_INPUT] = tuple(run_of(config))


def is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def run_of(config: pytest.Config) -> Run:
    return config.stash[_run]
