"""Command line of the test cluster: `python -m tests.cluster build|build-backends|up|down|status|kubeconfig|go`."""

import argparse
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.cluster import binaries, lifetime
from tests.cluster.environment import from_environment
from tests.cluster.model import Cluster, ClusterUnavailable
from tests.cluster.processes import end_with

NAME = "cluster"
DOWN = "make cluster-down"
BACKENDS = "build-backends"


def up() -> int:
    started = time.monotonic()
    cluster = from_environment() or lifetime.obtain(NAME, None, lambda text: print(text, file=sys.stderr))
    print(f"{cluster.title} is up ({time.monotonic() - started:.0f} s)", file=sys.stderr)
    _describe(cluster)
    return 0


def down() -> int:
    if lifetime.stop(NAME):
        print("stopped: processes, pods, mounts, interface, control groups and state directory are gone")
    else:
        print("no cluster is running; nothing to stop")
    return 0


def status() -> int:
    cluster = lifetime.running(NAME)
    if cluster is None:
        print("no cluster is running")
        return 1
    print(f"{cluster.title} is up", file=sys.stderr)
    _describe(cluster)
    return 0


def build() -> int:
    """Build the binaries ahead of a run; a cluster that is given needs none of its own."""
    cluster = () if from_environment() else binaries.CONTROL_PLANE + binaries.NODE
    binaries.ensure(
        cluster + binaries.KUBECTL + binaries.HELM + binaries.REGISTRY, lambda text: print(text, flush=True)
    )
    return 0


def build_backends(while_pid: int | None) -> int:
    """Build the backends of single servers with what the machine has left, and end with process `while_pid`."""
    if while_pid is not None:
        end_with(while_pid, lambda: os.killpg(0, signal.SIGKILL))
    os.nice(15)
    # Linux may weigh sessions before processes; then the nice value counts only among those of one session.
    if (session := Path("/proc/self/autogroup")).exists():
        session.write_text("15")
    binaries.ensure(binaries.wanted(), lambda text: print(text, flush=True))
    return 0


def kubeconfig() -> int:
    """Print the path alone, for scripts."""
    cluster = from_environment() or lifetime.running(NAME)
    if cluster is None:
        print("no cluster is running; make cluster starts one", file=sys.stderr)
        return 1
    print(cluster.kubeconfig)
    return 0


def go() -> int:
    """Print the folder of a Go toolchain, this machine's or the one in the cache, for scripts."""
    print(Path(binaries.go_program(lambda text: print(text, file=sys.stderr))).parent)
    return 0


def _describe(cluster: Cluster) -> None:
    if not cluster.pods:
        print(f"no pods: {cluster.why_no_pods}", file=sys.stderr)
    variables: Mapping[str, str] = {"KUBECONFIG": str(cluster.kubeconfig), **cluster.proxy_bypass()}
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")
    print(f"stop it with: {DOWN}", file=sys.stderr)


COMMANDS: Mapping[str, Callable[[], int]] = {
    "build": build,
    "up": up,
    "down": down,
    "status": status,
    "kubeconfig": kubeconfig,
    "go": go,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("command", choices=[*COMMANDS, BACKENDS])
    parser.add_argument("--while-pid", type=int, help="end with this process")
    chosen = parser.parse_args()
    try:
        return build_backends(chosen.while_pid) if chosen.command == BACKENDS else COMMANDS[chosen.command]()
    except ClusterUnavailable as error:
        print(f"no cluster: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
