"""A real Grafana in a container, where an engine runs."""

import gc
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from docker.errors import DockerException  # type: ignore[import-untyped]  # the package ships no types
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import HttpWaitStrategy

IMAGE = "grafana/grafana:13.1.0"
_PORT = 3000
PASSWORD = "admin-password"


class NoEngine(Exception):
    """No container engine answers here."""


@contextmanager
def started() -> Iterator[str]:
    """Its address; `KMCP_TEST_GRAFANA_IMAGE` names another image."""
    container = _made(os.environ.get("KMCP_TEST_GRAFANA_IMAGE", IMAGE))
    container.with_exposed_ports(_PORT).with_env("GF_SECURITY_ADMIN_PASSWORD", PASSWORD)
    container.waiting_for(HttpWaitStrategy(_PORT, "/api/health").for_status_code(200))
    with container as running:
        yield f"http://{running.get_container_host_ip()}:{running.get_exposed_port(_PORT)}"


def _made(image: str) -> DockerContainer:
    reason = ""
    try:
        return DockerContainer(image)
    except DockerException as error:
        reason = str(error)
    with warnings.catch_warnings():  # The client leaves the socket open that nobody listens to.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    raise NoEngine(reason)
