"""Supervisor of one test cluster, a process of its own: `python -m tests.cluster.supervisor --state DIR`.

It starts the cluster, writes `DIR/cluster.json` when all is ready, and stays until SIGTERM, the end of the process that
`--while-pid` names, or the end of a component. However it ends, it takes everything with it, `DIR` included. Its output
is the progress; after the line `no cluster:` comes the reason why there is no cluster.
"""

import argparse
import os
import shutil
import signal
import sys
from contextlib import ExitStack
from pathlib import Path

from tests.cluster import provider
from tests.cluster.model import FAILED, READY, ClusterUnavailable
from tests.cluster.processes import end_with


class Stopped(BaseException):
    """SIGTERM, or the process that wanted the cluster is gone."""


def main(directory: Path, while_pid: int | None) -> int:
    signal.signal(signal.SIGTERM, _stop)
    try:
        with ExitStack() as stack:
            stack.callback(shutil.rmtree, directory)
            if while_pid is not None:
                end_with(while_pid, lambda: os.kill(os.getpid(), signal.SIGTERM))
            try:
                _serve(directory, stack)
            finally:
                # Nothing may cut the cleaning short.
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
    except Stopped:
        return 0
    except ClusterUnavailable as error:
        print(f"{FAILED}\n{error}", flush=True)
    return 1


def _serve(directory: Path, stack: ExitStack) -> None:
    running = provider.start(directory, stack, lambda text: print(text, flush=True))
    # Others look for the file without a lock: it must appear whole.
    partial = directory / f".{READY}"
    partial.write_text(running.cluster.to_json())
    partial.rename(directory / READY)
    running.hold()


def _stop(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Stopped


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--while-pid", type=int)
    arguments = parser.parse_args()
    sys.exit(main(arguments.state, arguments.while_pid))
