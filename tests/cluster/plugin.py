"""pytest side of the test cluster: the fixtures `cluster`, `namespace` and `helm`, the markers `cluster` and `pods`.

The first test that needs it starts the cluster, once for the session and for all xdist workers; it ends with the
process that controls the run. Without a cluster those tests are skipped with the reason, or fail when `CI` is `true`.
"""

import os
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster import binaries, lifetime
from tests.cluster.given import given
from tests.cluster.model import Cluster, ClusterUnavailable
from tests.cluster.tally import ABSENT, NEEDS, TITLE, Tally, left_out

if TYPE_CHECKING:
    from tests.cluster.namespaces import Namespaces

RUN = "kmcp_cluster_run"

_run = pytest.StashKey[tuple[str, int]]()
"""Name of this run's cluster, and the process that it ends with."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "cluster: needs a real API server")
    config.addinivalue_line("markers", "pods: needs a real cluster whose pods run")
    received = _received(config)
    config.stash[_run] = received or (f"run-{uuid.uuid4().hex[:12]}", os.getpid())
    if not received:
        left_out.append(binaries.left_out)
        config.pluginmanager.register(Tally())


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell an xdist worker whose cluster it shares."""
    node.workerinput[RUN] = node.config.stash[_run]


def pytest_itemcollected(item: pytest.Item) -> None:
    fixtures: list[str] = getattr(item, "fixturenames", [])
    if item.get_closest_marker("pods"):
        item.user_properties.append((NEEDS, "pods"))
    elif item.get_closest_marker("cluster") or "cluster" in fixtures:
        item.user_properties.append((NEEDS, "api"))


def pytest_unconfigure(config: pytest.Config) -> None:
    if not _received(config):
        lifetime.stop(config.stash[_run][0])


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """The cluster of this run."""
    name, pid = request.config.stash[_run]
    try:
        found = given() or lifetime.obtain(name, pid, lambda text: say(request.config, text))
    except ClusterUnavailable as error:
        absent(str(error))
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
    return binaries.ensure(binaries.HELM, lambda text: say(request.config, text))["helm"]


@pytest.fixture(scope="session")
def backend(request: pytest.FixtureRequest) -> Callable[[str], Mapping[str, Path]]:
    """The binaries of a backend of `binaries.LATER`; skips where it is neither cached nor asked for."""

    def built(name: str) -> Mapping[str, Path]:
        component = binaries.LATER[name]
        if not component.built() and not binaries.full():
            pytest.skip(f"{name} is not built; FULL=1 make test builds it")
        return binaries.ensure((component,), lambda text: say(request.config, text))

    return built


def say(config: pytest.Config, text: str) -> None:
    with config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"[cluster] {text}", file=sys.stderr, flush=True)


def absent(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{ABSENT}{reason}", pytrace=False)
    pytest.skip(f"{ABSENT}{reason}")


def run_of(config: pytest.Config) -> tuple[str, int]:
    """The run's name, and the process that controls it: what its cluster and all in it end with."""
    return config.stash[_run]


def is_worker(config: pytest.Config) -> bool:
    return _received(config) is not None


def _received(config: pytest.Config) -> tuple[str, int] | None:
    """What the controlling process told this xdist worker; None in that process and without xdist."""
    told: dict[str, Any] | None = getattr(config, "workerinput", None)
    return None if told is None else (told[RUN][0], told[RUN][1])
