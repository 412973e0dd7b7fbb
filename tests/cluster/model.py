"""What a test knows of its cluster, and the error raised when there is none."""

import dataclasses
import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import yaml

TEST_IMAGE = "localhost/kmcp-test:1"
READY = "cluster.json"
"""File in a state directory that tells, once it is there, how to reach the running cluster."""
FAILED = "no cluster:"
"""Line of a supervisor's output after which the reason of its failure stands."""


def forever() -> None:
    threading.Event().wait()


class ClusterUnavailable(Exception):
    """No cluster can be had, with the reason as text."""


@dataclass(frozen=True)
class Cluster:
    """A running cluster. Commands run on its node as `[*node, program, …]`."""

    kubeconfig: Path
    pods: bool
    why_no_pods: str | None
    image: str
    """An image with a shell and busybox's applets, present on the node."""
    kind: str
    version: str = ""
    node: tuple[str, ...] = ()
    """Argument prefix that enters the node; empty when there is no way in."""
    ctr: str = ""
    """The node's `ctr`; empty when images cannot be imported."""
    host_address: str = ""
    """Where pods reach a server of this machine; empty when unknown."""

    @property
    def title(self) -> str:
        return f"{self.kind}, Kubernetes {self.version}" if self.version else self.kind

    def server(self) -> str:
        """The API server's URL in the kubeconfig's current context."""
        config = yaml.safe_load(self.kubeconfig.read_text())
        contexts = {entry["name"]: entry["context"] for entry in config["contexts"]}
        clusters = {entry["name"]: entry["cluster"] for entry in config["clusters"]}
        return str(clusters[contexts[config["current-context"]]["cluster"]]["server"])

    def proxy_bypass(self) -> dict[str, str]:
        """Variables that keep requests to the API server away from a proxy that the environment names."""
        if not any(name.lower() in ("http_proxy", "https_proxy", "all_proxy") for name in os.environ):
            return {}
        present = os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or ""
        hosts = ",".join(filter(None, [present, urlsplit(self.server()).hostname]))
        # Programs differ in which spelling they read, and in which they prefer.
        return {"NO_PROXY": hosts, "no_proxy": hosts}

    def with_version(self, version: str) -> Self:
        return dataclasses.replace(self, version=version)

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self) | {"kubeconfig": str(self.kubeconfig)}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Self:
        fields = json.loads(text)
        return cls(**(fields | {"kubeconfig": Path(fields["kubeconfig"]), "node": tuple(fields["node"])}))


@dataclass(frozen=True)
class Running:
    """A cluster that was started; `hold` waits, and raises ClusterUnavailable when a part of it ends."""

    cluster: Cluster
    hold: Callable[[], None]
