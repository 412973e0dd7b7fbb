"""Fixtures of the whole suite; the cluster comes from `tests/cluster`."""

pytest_plugins = ["tests.cluster.plugin"]
