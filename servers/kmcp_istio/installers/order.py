"""What to install, and what both installers do."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from kmcp_istio.client import Mesh
from kmcp_istio.installers.manifests import Drafted
from kmcp_runtime.judging import Verdict


@dataclass(frozen=True)
class Order:
    """What to install: profile, settings by path, revision."""

    profile: str
    settings: Mapping[str, str]
    revision: str | None


@dataclass(frozen=True)
class Done:
    """The messages of an installation, and the version that was installed."""

    messages: list[str]
    version: str | None


class Installer(ABC):
    """One way to install Istio."""

    title: str

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh

    @abstractmethod
    async def render(self, order: Order) -> Drafted:
        """The objects of an installation, rendered without asking the cluster."""

    @abstractmethod
    async def install(self, order: Order, verify: bool, seconds: int) -> Done:
        """Install, and wait for at most `seconds` until it is ready."""

    @abstractmethod
    async def judge(self, order: Order) -> Verdict:
        """What an installation would do, beside what its doors judge themselves."""

    @abstractmethod
    async def read_warnings(self, order: Order) -> list[str]:
        """What a caller should know before installing."""
