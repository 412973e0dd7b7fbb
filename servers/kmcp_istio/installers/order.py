"""What is to be installed, and what every way to install it does."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from kmcp_istio.client import Mesh
from kmcp_istio.installers.manifests import Drafted


@dataclass(frozen=True)
class Order:
    """What is to be installed."""

    profile: str
    settings: Mapping[str, str]
    revision: str | None


@dataclass(frozen=True)
class Done:
    """What an installation told."""

    messages: list[str]
    version: str | None


class Installer(ABC):
    """One way."""

    title: str

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh

    @abstractmethod
    async def render(self, order: Order) -> Drafted:
        """The objects; the cluster is not asked."""

    @abstractmethod
    async def install(self, order: Order, verify: bool, seconds: int) -> Done: ...

    @abstractmethod
    async def read_warnings(self, order: Order) -> list[str]:
        """What to know before."""
