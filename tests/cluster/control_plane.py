"""A control plane of a test's own: for what would disturb the others, another definition of a kind or an outage."""

import signal
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx2

from tests.cluster import binaries, components, network, own_build
from tests.cluster.components import Layout
from tests.cluster.model import TEST_IMAGE, Cluster, ClusterUnavailable
from tests.slowness import Deadline

KIND = "control plane of its own"


class ControlPlane:
    """etcd, API server and controller manager; the API server can be killed and started again."""

    def __init__(self, layout: Layout, kubeconfig: Path, stack: ExitStack) -> None:
        self.cluster = Cluster(kubeconfig, False, "a control plane alone", TEST_IMAGE, KIND)
        self._layout, self._stack = layout, stack
        context = ssl.create_default_context(cafile=layout.pki("ca.crt"))
        context.load_cert_chain(layout.pki("admin.crt"), layout.pki("admin.key"))
        self._http = stack.enter_context(httpx2.Client(base_url=layout.server, verify=context, trust_env=False))
        self._server: subprocess.Popen[bytes] | None = None
        self._start("etcd", components.etcd(layout))
        self.start_server()
        self._start("controller-manager", components.controller_manager(layout))
        self._wait("/api/v1/namespaces/default/serviceaccounts/default")

    def start_server(self) -> None:
        self._server = self._start("apiserver", components.apiserver(self._layout, pods=False))
        self._wait("/readyz")

    def kill_server(self) -> None:
        assert self._server
        self._server.kill()
        self._server.wait()

    def _start(self, name: str, argv: list[str]) -> "subprocess.Popen[bytes]":
        with self._layout.log(name).open("ab") as log:
            # Killed with this process, or a crash of a test would leave an etcd behind.
            process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *argv], stdout=log, stderr=log)
        # Called in reverse: the signal first, then the wait.
        self._stack.callback(process.wait)
        self._stack.callback(process.send_signal, signal.SIGKILL)
        return process

    def _wait(self, path: str) -> None:
        deadline = Deadline(own_build.WAIT)
        while not deadline.passed():
            with suppress(httpx2.TransportError):
                if self._http.get(path).status_code == 200:
                    return
            time.sleep(0.1)
        raise ClusterUnavailable(f"{KIND}: no {path} within {own_build.WAIT:.0f} s; see {self._layout.directory}/logs")


@contextmanager
def control_plane(directory: Path) -> Iterator[ControlPlane]:
    """Running while the block does; what it writes lies in the directory."""
    (directory / "logs").mkdir(parents=True)
    found = binaries.ensure(binaries.CONTROL_PLANE, print)
    ports = components.other_ports()
    layout = Layout(directory, found, "127.0.0.1", network.Network(), ports=ports)
    with ExitStack() as stack:
        yield ControlPlane(layout, own_build.issue_certificates(layout), stack)
