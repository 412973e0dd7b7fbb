"""Fixtures of the whole suite; the cluster comes from `tests/cluster`."""

import pytest

pytest_plugins = ["tests.cluster.plugin"]
SHARED = {"test_usage": "metrics", "test_rights": "metrics", "test_contributing": "metrics"}
"""Modules that make the same cluster-wide objects, and what those are: they run in one worker, one after the other."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a module's tests in one worker: what they share is made once."""
    for item in items:
        module = item.nodeid.split("::", 1)[0].rsplit("/", 1)[-1].removesuffix(".py")
        group = SHARED.get(module, item.nodeid.split("::", 1)[0])
        item.add_marker(pytest.mark.xdist_group(group))
