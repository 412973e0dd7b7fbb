"""pytest side of the test cluster: the fixtures `cluster`, `namespace` and `helm`, the markers `cluster` and `pods`.

The first test that needs it starts the cluster, once for the session and for all xdist workers; it ends with the
process that controls the run. Without a cluster those tests are skipped with the reason, or fail when `CI` is `true`.
"""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster import binaries, lifetime, run
from tests.cluster.environment import from_environment
from tests.cluster.model import Cluster, ClusterUnavailable
from tests.cluster.processes import CHECKOUT
from tests.cluster.summary import ABSENT, NEEDS, TITLE, Summary
from tests.time_limits import uncounted

if TYPE_CHECKING:
    from tests.cluster.namespaces import Namespaces


_BUILT = {"helm", "kubectl", "backend"}
"""Fixtures that build programs."""
_builder = pytest.StashKey["subprocess.Popen[bytes]"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--build-backends", action="store_true", help="build missing backends in the background while tests run"
    )
    parser.addoption(
        "--no-cluster", action="store_true", help="only the tests that need neither a cluster nor a built program"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "cluster: needs a real API server")
    config.addinivalue_line("markers", "pods: needs a real cluster whose pods run")
    if not run.begin(config, [component.name for component in binaries.wanted() if not component.built()]):
        return
    config.pluginmanager.register(Summary())
    if config.getoption("--build-backends") and run.run_of(config).missing_backends:
        config.stash[_builder] = _start_builder()


def _start_builder() -> "subprocess.Popen[bytes]":
    log = binaries.cache() / "backends.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.cluster", "build-backends", "--while-pid", str(os.getpid())]
    with log.open("wb") as output:
        # A process group of its own, so that the compilers end with it.
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=CHECKOUT, start_new_session=True
        )


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell an xdist worker whose cluster it shares."""
    run.share(node.config, node.workerinput)


def pytest_itemcollected(item: pytest.Item) -> None:
    if item.get_closest_marker("pods"):
        item.user_properties.append((NEEDS, "pods"))
    elif item.get_closest_marker("cluster") or "cluster" in _fixtures(item):
        item.user_properties.append((NEEDS, "api"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--no-cluster"):
        return
    needy = [item for item in items if NEEDS in dict(item.user_properties) or _BUILT & set(_fixtures(item))]
    config.hook.pytest_deselected(items=needy)
    items[:] = [item for item in items if item not in needy]


def _fixtures(item: pytest.Item) -> list[str]:
    return getattr(item, "fixturenames", [])


def pytest_unconfigure(config: pytest.Config) -> None:
    if run.is_worker(config):
        return
    if builder := config.stash.get(_builder, None):
        with suppress(ProcessLookupError):
            os.killpg(builder.pid, signal.SIGTERM)
        builder.wait()
    lifetime.stop(run.run_of(config).name)


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """The cluster of this run."""
    this = run.run_of(request.config)
    try:
        with uncounted():
            found = from_environment() or lifetime.obtain(this.name, this.pid, lambda text: say(request.config, text))
    except ClusterUnavailable as error:
        absent(str(error))
    # For the programs that tests start, too.
    os.environ.update(found.proxy_bypass())
    return found


@pytest.fixture(autouse=True)
def _needed_cluster(request: pytest.FixtureRequest) -> None:
    """Give tests that are only marked what the marker says."""
    needs = dict(request.node.user_properties).get(NEEDS)
    if needs is None:
        return
    found: Cluster = request.getfixturevalue("cluster")
    request.node.user_properties.append((TITLE, found.title))
    if needs == "pods" and not found.pods:
        absent(f"its pods do not run: {found.why_no_pods}")


@pytest.fixture(scope="session")
def _namespaces(cluster: Cluster) -> "Iterator[Namespaces]":
    # Imported here because it takes a second, which runs without a cluster need not pay.
    from tests.cluster.namespaces import Namespaces

    with Namespaces(cluster.kubeconfig) as namespaces:
        yield namespaces


@pytest.fixture
def namespace(_namespaces: "Namespaces") -> Iterator[str]:
    """A fresh namespace, ready for pods; deleted afterwards without waiting."""
    with _fresh(_namespaces) as name:
        yield name


@pytest.fixture(scope="module")
def shared_namespace(_namespaces: "Namespaces") -> Iterator[str]:
    """The same for all tests of a file: for what is made once and then only looked at."""
    with _fresh(_namespaces) as name:
        yield name


@contextmanager
def _fresh(namespaces: "Namespaces") -> Iterator[str]:
    name = f"t-{uuid.uuid4().hex[:10]}"
    namespaces.create(name)
    yield name
    namespaces.delete(name)


@pytest.fixture(scope="session")
def helm(request: pytest.FixtureRequest) -> Path:
    """The helm binary; built if it is not yet."""
    with uncounted():
        return binaries.ensure(binaries.HELM, lambda text: say(request.config, text))["helm"]


@pytest.fixture(scope="session")
def kubectl(request: pytest.FixtureRequest) -> Path:
    """The real kubectl, which tests of reading as it reads compare with; built if it is not yet."""
    with uncounted():
        return binaries.ensure(binaries.KUBECTL, lambda text: say(request.config, text))["kubectl"]


@pytest.fixture(scope="session")
def backend(request: pytest.FixtureRequest) -> Callable[[str], Mapping[str, Path]]:
    """The binaries of a backend of `binaries.BACKENDS`, built if need be; skips where it is left out of the run."""

    def built(name: str) -> Mapping[str, Path]:
        if reason := binaries.why_left_out(name):
            pytest.skip(reason)
        with uncounted():
            return binaries.ensure((binaries.BACKENDS[name],), lambda text: say(request.config, text))

    return built


def say(config: pytest.Config, text: str) -> None:
    with config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"[cluster] {text}", file=sys.stderr, flush=True)


def absent(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{ABSENT}{reason}", pytrace=False)
    pytest.skip(f"{ABSENT}{reason}")
