"""buildah for `kmcp-suite build`, with a store of the tests' own and base images of what is on this machine.

A project's Dockerfile names images of public registries; here the Debian of the suite's tests takes their place, with
the machine's own Go, Node.js or Java. Store and caches of builds stay in the tests' cache, so that only the first build
is slow.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cluster import suite_images, system
from tests.cluster.binaries import cache
from tests.cluster.locks import one_at_a_time

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass
class Engine:
    """`env` is what buildah needs to find its store; `run` is one command of it."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            ["buildah", *arguments], env={**os.environ, **self.env}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"buildah {' '.join(arguments)}: {(done.stderr or done.stdout)[-2000:]}"
        return done.stdout.strip()

    def build_arguments(self, language: str) -> list[str]:
        """Flags of `kmcp-suite build` that put images of this machine where the Dockerfile names public ones."""
        if language == "python":
            return [f"--build-arg=BASE={self._debian()}"]
        image = self._with_toolchain(language)
        if language == "typescript":
            return [f"--build-arg=BASE={image}"]
        return [f"--build-arg=BUILD={image}", f"--build-arg=BASE={'scratch' if language == 'go' else image}"]

    def archive(self, image: str, tar: Path) -> Path:
        """The image as a docker-archive for a node; it is gone from the store then."""
        self.run("push", "--quiet", image, f"docker-archive:{tar}:{image}")
        self.run("rmi", image)
        return tar

    def _has(self, image: str) -> bool:
        return bool(self.run("images", "--quiet", "--filter", f"reference={image}"))

    def _debian(self) -> str:
        archive = suite_images.base(_say)
        image = f"localhost/kmcp-develop-debian:{archive.stem}"
        if not self._has(image):
            self.run("pull", "--quiet", f"docker-archive:{archive}")
            self.run("tag", suite_images.BASE, image)
        return image

    def _with_toolchain(self, language: str) -> str:
        places, variables = _toolchain(language)
        recipe = f"{places} {variables} {_version(language)}"
        digest = hashlib.sha256(recipe.encode()).hexdigest()[:12]
        image = f"localhost/kmcp-develop-{language}:{digest}"
        if not self._has(image):
            _say(f"making a base image with this machine's {language} (once, then cached)")
            container = self.run("from", self._debian())
            mounted = Path(self.run("mount", container))
            for source, target in places.items():
                # Debian links its Java libraries from all over the system: what they point at is copied.
                _copy(Path(source), mounted / target.lstrip("/"))
            if language == "typescript":
                (mounted / "usr/local/bin/npm").symlink_to("../lib/node_modules/npm/bin/npm-cli.js")
            self.run("config", *(f"--env={name}={value}" for name, value in variables.items()), container)
            self.run("commit", "--quiet", "--rm", container, image)
        return image


def _say(text: str) -> None:
    print(f"[images] {text}", file=sys.stderr, flush=True)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        # The function's own way to pass over links to nothing takes every relative link for one.
        shutil.copytree(source, target, dirs_exist_ok=True, ignore=_dangling)
    else:
        shutil.copy(source, target)


def _dangling(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if not (Path(folder) / name).exists()]


def _toolchain(language: str) -> tuple[dict[str, str], dict[str, str]]:
    """Files and folders of this machine with their places in the image, and variables of the image."""
    if language == "go":
        root = subprocess.run(["go", "env", "GOROOT"], check=True, capture_output=True, text=True).stdout.strip()
        return {root: "/usr/local/go"}, {"PATH": f"/usr/local/go/bin:{_PATH}"}
    if language == "typescript":
        node, npm = Path(_which("node")), Path(_which("npm")).parents[1]
        places = {str(node): "/usr/local/bin/node", str(npm): "/usr/local/lib/node_modules/npm"}
        return places, {"PATH": _PATH, "NODE_EXTRA_CA_CERTS": suite_images.AUTHORITIES}
    java, maven = Path(_which("java")).parents[1], Path(_which("mvn")).parents[1]
    variables = {"JAVA_HOME": "/usr/local/java", "PATH": f"/usr/local/java/bin:/usr/local/maven/bin:{_PATH}"}
    return {str(java): "/usr/local/java", str(maven): "/usr/local/maven"}, variables


def _which(program: str) -> str:
    return str(Path(shutil.which(program) or program).resolve())


def _version(language: str) -> str:
    argv = {"go": ["go", "version"], "typescript": ["node", "--version"], "java": ["mvn", "--version"]}[language]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


@contextmanager
def engine() -> Iterator[Engine]:
    """One test at a time; skipped, with the reason, where this machine builds no images."""
    if why_not := suite_images.why_no_images():
        pytest.skip(f"images of projects: {why_not}")
    system.ensure_system_packages(_say, ("buildah", "debootstrap"))
    folder = cache() / "images" / "develop"
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    driver = "vfs" if system.on_overlay(folder) else "overlay"
    settings = folder / "storage.conf"
    settings.write_text(f'[storage]\ndriver = "{driver}"\ngraphroot = "{folder}/store"\nrunroot = "{folder}/run"\n')
    found = Engine(folder)
    found.env.update(
        CONTAINERS_STORAGE_CONF=str(settings),
        BUILDAH_ISOLATION="chroot",
        # The caches that a Dockerfile mounts are kept below it.
        TMPDIR=str(folder / "tmp"),
    )
    with one_at_a_time(folder / "lock"):
        yield found
