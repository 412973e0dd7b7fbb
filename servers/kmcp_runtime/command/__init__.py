"""The one door to child processes: argument lists only, each child in a process group of its own.

`start` is for a process that lives on (a server, a dialogue), `run` for a program that is to come to its end.
"""

from kmcp_runtime.command import orphans
from kmcp_runtime.command.detached import Detached, start_detached
from kmcp_runtime.command.process import Running, ended, shown, start
from kmcp_runtime.command.program import LARGEST_OUTPUT, Ended, run

__all__ = [
    "LARGEST_OUTPUT",
    "Detached",
    "Ended",
    "Running",
    "ended",
    "orphans",
    "run",
    "shown",
    "start",
    "start_detached",
]
