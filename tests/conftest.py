"""Fixtures of the whole suite; the cluster comes from `tests/cluster`."""

from collections.abc import Generator

import pytest

pytest_plugins = ["tests.cluster.plugin"]
SHARED = {"test_usage": "metrics", "test_rights": "metrics", "test_contributing": "metrics"}
"""Modules that make the same cluster-wide objects, and what those are: they run in one worker, one after the other."""


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None, object, object]:
    """Keep a module's tests in one worker, since what they share is made once; before xdist looks for groups."""
    for item in items:
        module = item.nodeid.split("::", 1)[0].rsplit("/", 1)[-1].removesuffix(".py")
        group = SHARED.get(module, item.nodeid.split("::", 1)[0])
        item.add_marker(pytest.mark.xdist_group(group))
    return (yield)
