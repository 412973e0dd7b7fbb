"""Control groups of a test cluster, below one name in every hierarchy; versions 1, 2 and both at once."""

import errno
import os
import time
from pathlib import Path

from tests.slowness import Deadline

MOUNT = Path("/sys/fs/cgroup")
WANTED = ("cpuset", "cpu", "io", "memory", "pids", "hugetlb")
END_SECONDS = 15


def hierarchies() -> list[Path]:
    """Mount points of the hierarchies: one with version 2, one for each controller with version 1."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        mount, _, source = line.partition(" - ")
        point = Path(mount.split()[4])
        if source.split()[0] in ("cgroup", "cgroup2") and point.is_relative_to(MOUNT):
            found.append(point)
    return found


def writable() -> bool:
    found = hierarchies()
    return bool(found) and all(os.access(point, os.W_OK) for point in found)


def create(name: str) -> None:
    for point in hierarchies():
        group = point / name
        group.mkdir(exist_ok=True)
        _delegate(point, group)
        # Version 1 makes a cpuset without processors, in which nothing can run.
        for file in ("cpuset.cpus", "cpuset.mems"):
            if (group / file).is_file() and not (point / "cgroup.controllers").is_file():
                (group / file).write_text((point / file).read_text())


def remove(name: str) -> None:
    """Remove the groups below `name`, waiting for processes that are just ending."""
    deadline = Deadline(END_SECONDS)
    for point in hierarchies():
        # The kernel removes only groups that hold no other group.
        for group, _, _ in os.walk(point / name, topdown=False):
            _remove_group(Path(group), deadline)


def _delegate(point: Path, group: Path) -> None:
    controllers = point / "cgroup.controllers"
    if not controllers.is_file():
        return
    # Version 2: a group has a controller only when every group above it has handed it down.
    wanted = [name for name in controllers.read_text().split() if name in WANTED]
    for parent in (point, group):
        (parent / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in wanted))


def _remove_group(group: Path, deadline: Deadline) -> None:
    while True:
        try:
            group.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError as error:
            # A process that was killed counts until its parent has collected it.
            if error.errno != errno.EBUSY or deadline.passed():
                raise
            time.sleep(0.05)
