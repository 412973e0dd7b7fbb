"""Container images without a registry: docker-archive tars, made of files of this machine and imported on the node."""

import hashlib
import io
import json
import platform
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cluster.model import TEST_IMAGE, Cluster

PAUSE_IMAGE = "localhost/kmcp-pause:1"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def import_image(cluster: Cluster, tar: Path) -> None:
    """Put a docker-archive (or OCI archive) onto the node; pods use it with `imagePullPolicy` IfNotPresent or Never."""
    if not cluster.ctr:
        raise ValueError(f"images cannot be imported into this cluster ({cluster.kind})")
    command = [*cluster.node, cluster.ctr, "--namespace", "k8s.io", "images", "import", "-"]
    with tar.open("rb") as archive:
        done = subprocess.run(command, stdin=archive, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"import of {tar.name} failed: {done.stderr.strip()}")


def present(cluster: Cluster, image: str) -> bool:
    """Whether the node has an image of that name."""
    command = [*cluster.node, cluster.ctr, "--namespace", "k8s.io", "images", "list", "--quiet", f"name=={image}"]
    return bool(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())


def write_program_image(program: Path, image: str, tar: Path, user: str = "") -> None:
    """An image that holds one static program, and runs it with whatever arguments a pod gives."""
    with _layer() as layer:
        layer.directory("tmp", 0o1777)
        layer.file(program.name, program.read_bytes(), 0o755)
    _write_archive(tar, image, layer.content(), {"Entrypoint": [f"/{program.name}"], "User": user})


def write_test_image(busybox: Path, tar: Path) -> None:
    """An image whose programs are the applets of a static busybox (`wget -T` crashes in Debian 12's: use `timeout`)."""
    applets = subprocess.run([busybox, "--list"], check=True, capture_output=True, text=True).stdout.split()
    with _layer() as layer:
        layer.directory("tmp", 0o1777)
        for name in ("bin", "etc", "root", "var", "home"):
            layer.directory(name, 0o755)
        layer.file("bin/busybox", busybox.read_bytes(), 0o755)
        for applet in applets:
            layer.link(f"bin/{applet}", "busybox")
        layer.file("etc/passwd", b"root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/tmp:/bin/sh\n", 0o644)
        layer.file("etc/group", b"root:x:0:\nnogroup:x:65534:\n", 0o644)
    _write_archive(tar, TEST_IMAGE, layer.content(), {"Cmd": ["/bin/sh"]})


class _Layer:
    """An uncompressed layer, the same bytes whenever its files are the same."""

    def __init__(self, buffer: io.BytesIO, tar: tarfile.TarFile) -> None:
        self._buffer = buffer
        self._tar = tar
        self._names: set[str] = set()

    def content(self) -> bytes:
        """The finished bytes, after the end of the `with` block."""
        return self._buffer.getvalue()

    def directory(self, name: str, mode: int) -> None:
        self._add(name, tarfile.DIRTYPE, mode)

    def file(self, name: str, content: bytes, mode: int) -> None:
        self._add(name, tarfile.REGTYPE, mode, content=content)

    def link(self, name: str, target: str) -> None:
        # An applet can be named like a file that is there already: busybox itself.
        if name not in self._names:
            self._add(name, tarfile.SYMTYPE, 0o777, target=target)

    def _add(self, name: str, kind: bytes, mode: int, content: bytes = b"", target: str = "") -> None:
        entry = tarfile.TarInfo(name)
        # Times and owners stay zero, or the same files would make another image each time.
        entry.type, entry.mode, entry.linkname, entry.size = kind, mode, target, len(content)
        self._tar.addfile(entry, io.BytesIO(content))
        self._names.add(name)


@contextmanager
def _layer() -> Iterator[_Layer]:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        yield _Layer(buffer, tar)


def _write_archive(tar: Path, name: str, layer: bytes, runs: Mapping[str, Any]) -> None:
    # Layers and configuration are named by their digest (image-spec): containerd checks it.
    digest = hashlib.sha256(layer).hexdigest()
    machine = platform.machine()
    config = json.dumps(
        {
            "architecture": ARCHITECTURES.get(machine, machine),
            "os": "linux",
            "config": {**runs, "Env": ["PATH=/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        }
    ).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [name], "Layers": [f"{digest}/layer.tar"]}]).encode()
    _write_tar(tar, {config_name: config, f"{digest}/layer.tar": layer, "manifest.json": manifest})


def _write_tar(tar: Path, files: Mapping[str, bytes]) -> None:
    with tarfile.open(tar, "w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
