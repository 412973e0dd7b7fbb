"""First process of a test cluster's node: starts the programs that its standard input names, and ends with it.

Input: one JSON object a line, `{"name", "argv", "log", "environment"}`. Output: first this process's id as the machine
sees it, then `<name> <exit status>` for each program that ended. At end of input everything ends: in a PID namespace
the kernel kills all that is in it (pods too); without one (`--plain`) the programs started here are killed.
"""

import json
import os
import selectors
import signal
import subprocess
import sys
from pathlib import Path
from typing import TypedDict

PRIVATE = ("/var/lib", "/var/log")
SYSCTLS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
"""What kubelet sets for the whole machine; it finds these values in files of ours and leaves the machine's alone."""


class Command(TypedDict):
    name: str
    argv: list[str]
    log: str
    environment: dict[str, str]


def main(plain: bool, state: Path) -> None:
    # Read before /proc is mounted anew: this one still counts as the machine does.
    print(Path("/proc/self").readlink(), flush=True)
    if not plain:
        make_private(state)
    running = serve(["setpriv", "--pdeathsig", "KILL", "--"] if plain else [])
    for pid in running if plain else ():
        os.kill(pid, signal.SIGKILL)


def make_private(state: Path) -> None:
    """Hide the directories that the node writes to behind mounts of this namespace, but for the state directory."""
    # Held open, because the mounts below hide its path.
    descriptor = os.open(state, os.O_PATH)
    _mount("-t", "proc", "proc", "/proc")
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    for place in PRIVATE:
        upper, work = (Path(f"/run/private{place}/{part}") for part in ("upper", "work"))
        upper.mkdir(parents=True)
        work.mkdir()
        _mount("-t", "overlay", "-o", f"lowerdir={place},upperdir={upper},workdir={work}", "overlay", place)
    state.mkdir(parents=True, exist_ok=True)
    _mount("--no-canonicalize", "--bind", f"/proc/self/fd/{descriptor}", str(state), inherit=descriptor)
    os.close(descriptor)
    for name, value in SYSCTLS.items():
        shield = Path("/run/private/sysctl") / name
        shield.parent.mkdir(parents=True, exist_ok=True)
        shield.write_text(f"{value}\n")
        _mount("--bind", str(shield), f"/proc/sys/{name}")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    # Pods may ask for mount propagation, which a private mount refuses.
    _mount("--make-rshared", "/")


def serve(prefix: list[str]) -> set[int]:
    """Start what standard input names until it ends; return the ids of what still runs."""
    names: dict[int, str] = {}
    rest = b""
    with selectors.DefaultSelector() as selector:
        ended = _child_ended()
        selector.register(0, selectors.EVENT_READ)
        selector.register(ended, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                data = os.read(key.fd, 65536)
                if key.fd == ended:
                    _reap(names)
                    continue
                if not data:
                    return set(names)
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    _start(json.loads(line), prefix, names)


def _start(command: Command, prefix: list[str], names: dict[int, str]) -> None:
    argv = [*prefix, *command["argv"]]
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, command["log"], flags, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    # Not by subprocess, which waits for its children itself: here one loop collects all, orphans too.
    names[os.posix_spawnp(argv[0], argv, command["environment"], file_actions=actions)] = command["name"]


def _reap(names: dict[int, str]) -> None:
    """Collect every child that ended, orphans of the namespace among them."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        if pid in names:
            print(names.pop(pid), os.waitstatus_to_exitcode(status), flush=True)


def _child_ended() -> int:
    """A descriptor that can be read when a child has ended."""
    read, write = os.pipe()
    # The kernel writes into it from a signal handler, which must never wait.
    os.set_blocking(write, False)
    # A signal alone does not end a select: Python goes on waiting after the handler (PEP 475).
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return read


def _mount(*arguments: str, inherit: int | None = None) -> None:
    subprocess.run(["mount", *arguments], check=True, pass_fds=() if inherit is None else (inherit,))


if __name__ == "__main__":
    main(plain=sys.argv[1] == "--plain", state=Path(sys.argv[2]))
