"""Where every script of a server begins: at the desk, if its answers are prepared, and then in the engine."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kmcp_runtime.endings import INTERRUPTED
from kmcp_runtime.errors import did_you_mean
from kmcp_runtime.instant import choice
from kmcp_runtime.instant.desk import Desk

if TYPE_CHECKING:
    from kmcp_runtime.server import Server

COMPOSED_PORT = 8080


def run(servers: Sequence[Server], argv: Sequence[str], program: str, about: str, port: int) -> int:
    """Serve until the client goes or a signal comes; the exit code. `port` is the one of HTTP if none is set."""
    desk = None
    try:
        answers = choice.answers(servers, argv, os.environ)
        if answers is not None:
            desk = Desk(answers)
            desk.wait()
        # An import makes objects that stay: looking for garbage among them takes a fifth of its time.
        gc.disable()
        engine = importlib.import_module("kmcp_runtime.engine.cli")
        gc.freeze()
        gc.enable()
        code: int = engine.run(servers, argv, program, about, port, desk)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception:
        if desk is None or desk.is_taken_over:
            raise
        sys.excepthook(*sys.exc_info())
        desk.refuse("the server could not start; its log says why")
        return 1
    return code


def serve(argv: Sequence[str]) -> int:
    """Serve several servers (default: all) in one process: each at `/<server>/mcp`, all at `/mcp`."""
    from kmcp_runtime.distributions import server_points

    names = list(argv[: _first_flag(argv)])
    known = server_points()
    if not names:
        names = sorted(known)
    for name in names:
        if name not in known:
            suggestion = did_you_mean(name, known) or f"there are {', '.join(sorted(known))}"
            print(f"kmcp-suite: no server {name!r}: {suggestion}", file=sys.stderr)
            return 2
    servers: list[Server] = [known[name].load() for name in names]
    port = servers[0].port if len(servers) == 1 else COMPOSED_PORT
    return run(servers, argv[_first_flag(argv) :], "kmcp-suite serve", "Serve MCP tool servers in one process.", port)


def _first_flag(argv: Sequence[str]) -> int:
    return next((index for index, word in enumerate(argv) if word.startswith("-")), len(argv))
