"""`kmcp-suite up` with one server of the suite that needs no backend, and what is done with it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kmcp_runtime import publish
from kmcp_runtime.catalog import Catalog, dump
from tests.controller.test_local import Up, running
from tests.installed import SUITE
from tests.ports import free_ports, suite_flags


@contextmanager
def clock_suite(folder: Path) -> Iterator[Up]:
    """Its state is in `folder`; `Up.settled` waits until it answers."""
    ports = free_ports(3)
    argv = [SUITE, "up", "--catalog", str(clock_catalog(folder)), *suite_flags(ports)]
    with running(argv, environment(folder), ports, folder) as up:
        yield up


def clock_catalog(folder: Path) -> Path:
    """The file, in `folder`."""
    whole, file = publish.catalog(), folder / "catalog.yaml"
    servers = {"kmcp-clock": whole.servers["kmcp-clock"]}
    file.write_text(dump(Catalog(name=whole.name, version=whole.version, servers=servers)))
    return file


def environment(folder: Path, **more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("KUBE")}
    return {**kept, "HOME": str(folder), "XDG_DATA_HOME": str(folder), **more}


def server_of(up: Up) -> int:
    """The process that serves the tools."""
    children = Path(f"/proc/{up.process.pid}/task/{up.process.pid}/children").read_text().split()
    (pid,) = [int(each) for each in children if b"serve" in Path(f"/proc/{each}/cmdline").read_bytes()]
    return pid
