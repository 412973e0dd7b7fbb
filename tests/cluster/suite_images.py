"""Images of the suite from its one Dockerfile, without a container engine: a Debian base made here, then buildah.

The base is kept in the cache by its recipe, an image by the digest of everything that goes into it, as docker-archives.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from tests.cluster import binaries, system
from tests.cluster.locks import one_at_a_time
from tests.cluster.model import ClusterUnavailable

ROOT = Path(__file__).parents[2]
RELEASE = "bookworm"
PACKAGES = "python3,python3-venv,ca-certificates"
REGISTRY = "localhost/kmcp/"
KEPT = 3  # images of a server, for as many checkouts
BASE = "localhost/kmcp-base:1"
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
SOURCES = (
    "Dockerfile",
    "requirements.lock",
    "pyproject.toml",
    "catalog.yaml",
    "publishing.yaml",
    "LICENSE",
    "charts",
    "servers",
    "kmcp_controller",
    "kmcp_develop",
)
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "docs/index.md")
"""What the documentation server answers from, which no pod of a test runs: an empty page stands for each, so that a
change of the documentation makes no image anew."""


def why_no_images() -> str | None:
    """Why images cannot be built on this machine, or None when they can."""
    if os.geteuid() != 0:
        return "not root: debootstrap and buildah's chroot isolation need it"
    if shutil.which("apt-get") is None:
        return "no apt-get: the base image is made of Debian's packages"
    return None


def reference(server: str) -> str:
    return f"{REGISTRY}kmcp-{server}:{tag()}"


def suite_image(server: str, say: Callable[[str], None]) -> Path:
    """The docker-archive of a server's image (or `controller`), built when its sources changed."""
    tar = binaries.cache() / "images" / f"kmcp-{server}-{tag()}.tar"
    tar.parent.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(tar.parent / "build.lock"):
        return tar if tar.is_file() else _build(server, tar, say)


def _build(server: str, tar: Path, say: Callable[[str], None]) -> Path:
    system.ensure_system_packages(say, ("buildah", "debootstrap"))
    made = base(say)
    say(f"building the image of {server} (once for these sources, about half a minute)")
    with _storage() as buildah, _sources() as context:
        buildah("pull", "--quiet", f"docker-archive:{made}")
        # Without PROGRAMS this buildah leaves out the stage that is its default.
        given = {"BASE": BASE, "SERVER": server, "PROGRAMS": "none"}
        arguments = [f"--build-arg={name}={value}" for name, value in given.items()]
        buildah("bud", "--quiet", *arguments, "--tag", reference(server), str(context))
        # Renamed when it is complete, so that a build cut short is made again.
        partial = tar.with_suffix(f".{os.getpid()}")
        buildah("push", "--quiet", reference(server), f"docker-archive:{partial}:{reference(server)}")
    for stale in _by_age(tar.parent.glob(f"kmcp-{server}-*.tar"))[KEPT - 1 :]:
        stale.unlink()
    return partial.rename(tar)


def _by_age(files: Iterable[Path]) -> list[Path]:
    return sorted(files, key=lambda file: file.stat().st_mtime, reverse=True)


def base(say: Callable[[str], None]) -> Path:
    """A Debian with Python, and with this machine's certificate authorities for the time of the build."""
    recipe = hashlib.sha256(f"{RELEASE} {PACKAGES} {BASE}".encode()).hexdigest()[:12]
    tar = binaries.cache() / "images" / f"base-{recipe}.tar"
    if tar.is_file():
        return tar
    say("making a Debian base image with Python (once, then cached; about a minute)")
    with tempfile.TemporaryDirectory() as folder, _storage() as buildah:
        root = Path(folder) / "root"
        _run(["debootstrap", "--variant=minbase", f"--include={PACKAGES}", RELEASE, str(root)])
        # Behind a proxy that opens TLS, pip in the image trusts nobody else.
        if Path(AUTHORITIES).is_file():
            shutil.copy(AUTHORITIES, root / AUTHORITIES.lstrip("/"))
        _run(["tar", "-C", str(root), "-cf", f"{folder}/root.tar", "."])
        container = buildah("from", "scratch")
        buildah("add", "--quiet", container, f"{folder}/root.tar", "/")
        buildah("config", "--env", f"PIP_CERT={AUTHORITIES}", "--env", f"SSL_CERT_FILE={AUTHORITIES}", container)
        buildah("commit", "--quiet", container, BASE)
        partial = tar.with_suffix(f".{os.getpid()}")
        buildah("push", "--quiet", BASE, f"docker-archive:{partial}:{BASE}")
    return partial.rename(tar)


Buildah = Callable[..., str]


@contextmanager
def _storage() -> Iterator[Buildah]:
    """buildah with a store of its own that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "BUILDAH_ISOLATION": "chroot"}
        driver = "vfs" if system.on_overlay(Path(folder)) else "overlay"
        place = ["--root", f"{folder}/root", "--runroot", f"{folder}/run", "--storage-driver", driver]

        def buildah(*arguments: str) -> str:
            return _run(["buildah", *place, *arguments], environment).strip()

        try:
            yield buildah
        finally:
            buildah("rm", "--all")


@contextmanager
def _sources() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        copy_sources(ROOT, Path(folder))
        yield Path(folder)


def copy_sources(root: Path, folder: Path) -> None:
    """Write what the Dockerfile copies into `folder`, and nothing else of the checkout `root`."""
    for name in SOURCES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (root / name).is_dir():
            shutil.copytree(root / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(root / name, folder / name)
    for name in PAGES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@cache
def tag() -> str:
    """Of all images made of these sources: runs of different checkouts can share a node."""
    return digest(ROOT)


def digest(root: Path) -> str:
    """Of what `copy_sources` writes, and of the base."""
    sha = hashlib.sha256(f"{RELEASE} {PACKAGES}".encode())
    for name in SOURCES:
        top = root / name
        files = sorted(top.rglob("*")) if top.is_dir() else [top]
        for path in files:
            if path.is_file() and "__pycache__" not in path.parts:
                sha.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return sha.hexdigest()[:16]


def _run(command: list[str], environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ClusterUnavailable(f"{' '.join(command[:6])} … failed: {(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout
