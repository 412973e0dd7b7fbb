"""What a test cluster needs of the machine: programs of the distribution, and leave to make namespaces and cgroups."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.cluster import cgroups
from tests.cluster.model import ClusterUnavailable

PACKAGES = {
    "runc": "runc",
    "iptables": "iptables",
    "nft": "nftables",
    "ip": "iproute2",
    "conntrack": "conntrack",
    "busybox": "busybox-static",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "mount": "mount",
    "buildah": "buildah",
    "debootstrap": "debootstrap",
}
NODE_PROGRAMS = tuple(program for program in PACKAGES if program not in ("buildah", "debootstrap"))


def search_path() -> str:
    """PATH with the directories of system programs, which a user's PATH may lack."""
    present = os.environ.get("PATH", "").split(os.pathsep)
    return os.pathsep.join([*present, *(folder for folder in ("/usr/sbin", "/sbin") if folder not in present)])


def find(program: str) -> Path | None:
    found = shutil.which(program, path=search_path())
    if found is None or (program == "busybox" and not _static(Path(found))):
        return None
    return Path(found)


def ensure_system_packages(say: Callable[[str], None], programs: Iterable[str] = NODE_PROGRAMS) -> None:
    """Install what is missing with apt-get, or raise ClusterUnavailable with what to install."""
    missing = _missing(programs)
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ClusterUnavailable(f"missing programs: {', '.join(missing)}; install {_packages(missing)}")
    say(f"installing {_packages(missing)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "--yes", "--no-install-recommends", "-q", *_packages(missing).split()]
    for command in (["apt-get", "update", "-q"], install):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ClusterUnavailable(f"{' '.join(command)} failed: {done.stderr.strip()}")
    if still := _missing(missing):
        raise ClusterUnavailable(f"still missing after the installation: {', '.join(still)}")


def why_no_pods() -> str | None:
    """Why containers cannot run on this machine, or None when they can."""
    if os.geteuid() != 0:
        return "not root: kubelet and containerd need root"
    if not cgroups.writable():
        return f"the control groups at {cgroups.MOUNT} are not writable"
    # Root alone does not say it: a container may lack the capability, or its profile forbids the call.
    probe = subprocess.run(
        ["unshare", "--mount", "--net", "--pid", "--fork", "--", "mount", "-t", "tmpfs", "tmpfs", "/run"],
        capture_output=True,
        text=True,
        check=False,
    )
    return f"no leave to make namespaces: {probe.stderr.strip()}" if probe.returncode else None


def require_linux() -> None:
    if sys.platform != "linux":
        raise ClusterUnavailable(f"our own build of Kubernetes runs on Linux only, not on {sys.platform}")


def on_overlay(directory: Path) -> bool:
    """Whether the file system is an overlay itself, on which another one cannot be mounted."""
    device = directory.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        mount, _, source = line.partition(" - ")
        if mount.split()[2] == wanted:
            return source.split()[0] == "overlay"
    return False


def _missing(programs: Iterable[str]) -> list[str]:
    return [program for program in programs if find(program) is None]


def _packages(programs: list[str]) -> str:
    return " ".join(sorted({PACKAGES[program] for program in programs}))


def _static(binary: Path) -> bool:
    """Whether the binary names no dynamic loader (its path stands in the first page)."""
    with binary.open("rb") as file:
        return b"/ld-" not in file.read(4096)
