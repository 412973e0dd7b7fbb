"""Directories of the helm binary: its own HOME, configuration and caches, and a private one for each run."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kmcp_runtime import private_files
from kmcp_runtime.errors import unavailable
from kmcp_runtime.helm.settings import HelmSettings

# Only what helm needs: where programs are, and which certificates to trust. No proxy settings: helm asks the API server
# alone, through the proxy that its kubeconfig names (`proxy-url`, that of the environment included); one in the
# environment would be for every host, those of charts included, and would resolve names again after their check here.
_PASSED_ON = ("PATH", "LANG", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True)
class Home:
    """Where helm keeps its files. `state` outlives the process when it is configured, `private` never does."""

    state: Path
    private: Path
    driver: str
    registries: str

    @property
    def repositories(self) -> Path:
        return self.state / "config" / "repositories.yaml"

    @property
    def indexes(self) -> Path:
        return self.state / "cache" / "repository"

    @property
    def nowhere(self) -> Path:
        """An empty working directory: helm prefers a chart in its working directory to the one that was named."""
        return made(self.private / "nowhere")

    @contextmanager
    def run(self) -> Iterator[Path]:
        """A private directory for the files of one run: credentials and values."""
        path = Path(tempfile.mkdtemp(prefix="run-", dir=self.private))
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def environment(self, run: Path, kubeconfig: Path | None) -> dict[str, str]:
        """The binary's whole environment; without a kubeconfig it cannot reach a cluster."""
        return {
            **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            # Not this process's HOME: its helm and registry logins belong to somebody else.
            "HOME": str(run),
            "TMPDIR": str(run),
            "HELM_CONFIG_HOME": str(self.state / "config"),
            "HELM_CACHE_HOME": str(self.state / "cache"),
            "HELM_DATA_HOME": str(self.state / "data"),
            # A plugin is a program: none that happens to be installed may run in here.
            "HELM_PLUGINS": str(self.private / "no-plugins"),
            "HELM_DRIVER": self.driver,
            # A path that does not exist, since an unset KUBECONFIG would mean ~/.kube/config or the pod's account.
            "KUBECONFIG": str(kubeconfig or run / "no-cluster"),
            **({"HELM_REGISTRY_CONFIG": self.registries} if self.registries else {}),
        }


@contextmanager
def opened(settings: HelmSettings) -> Iterator[Home]:
    private = Path(tempfile.mkdtemp(prefix="helm-", dir=private_files.folder()))
    state = Path(settings.helm_home).absolute() if settings.helm_home else private / "state"
    registries = str(Path(settings.helm_registries).absolute()) if settings.helm_registries else ""
    try:
        yield Home(state, private, settings.helm_driver, registries)
    finally:
        shutil.rmtree(private, ignore_errors=True)


def made(path: Path) -> Path:
    """The directory, created if it does not exist."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise unavailable(f"cannot create {path}: {error.strerror}", "check KMCP_HELM_HOME") from None
    return path
