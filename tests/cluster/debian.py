"""Debian images without a container engine: debootstrap makes the files, buildah the image; cached by recipe."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.cluster import system
from tests.cluster.binaries import cache
from tests.cluster.model import ClusterUnavailable

RELEASE = "bookworm"
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
LEFT_OUT = (
    "var/cache/apt",
    "var/lib/apt/lists",
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
)
Buildah = Callable[..., str]


def why_no_images() -> str | None:
    """Why images cannot be built on this machine, or None when they can."""
    if os.geteuid() != 0:
        return "not root: debootstrap and buildah's chroot isolation need it"
    if shutil.which("apt-get") is None:
        return "no apt-get: the base image is made of Debian's packages"
    return None


def image(name: str, packages: str, settings: Sequence[str], say: Callable[[str], None]) -> Path:
    """The docker-archive of a Debian with these packages; `settings` are arguments of `buildah config`.

    It trusts this machine's certificate authorities, so that a build in it reaches what this machine reaches.
    """
    recipe = hashlib.sha256(f"{RELEASE} {packages} {name} {list(settings)} {LEFT_OUT}".encode()).hexdigest()[:12]
    tar = cache() / "images" / f"debian-{recipe}.tar"
    if tar.is_file():
        return tar
    tar.parent.mkdir(parents=True, exist_ok=True)
    system.ensure_system_packages(say, ("buildah", "debootstrap"))
    say(f"making a Debian image with {packages} (once, then cached; a minute or two)")
    with tempfile.TemporaryDirectory() as folder, storage() as buildah:
        root = Path(folder) / "root"
        run(["debootstrap", "--variant=minbase", f"--include={packages}", RELEASE, str(root)])
        for place in LEFT_OUT:
            shutil.rmtree(root / place, ignore_errors=True)
        if Path(AUTHORITIES).is_file() and (root / AUTHORITIES.lstrip("/")).is_file():
            shutil.copy(AUTHORITIES, root / AUTHORITIES.lstrip("/"))
        run(["tar", "-C", str(root), "-cf", f"{folder}/root.tar", "."])
        container = buildah("from", "scratch")
        buildah("add", "--quiet", container, f"{folder}/root.tar", "/")
        buildah("config", *settings, container)
        buildah("commit", "--quiet", container, name)
        partial = tar.with_suffix(f".{os.getpid()}")
        buildah("push", "--quiet", name, f"docker-archive:{partial}:{name}")
    return partial.rename(tar)


@contextmanager
def storage() -> Iterator[Buildah]:
    """buildah with a store of its own that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "BUILDAH_ISOLATION": "chroot"}
        place = ["--root", f"{folder}/root", "--runroot", f"{folder}/run", "--storage-driver", "vfs"]
        yield lambda *arguments: run(["buildah", *place, *arguments], environment).strip()


def run(command: list[str], environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ClusterUnavailable(f"{' '.join(command[:6])} … failed: {(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout
