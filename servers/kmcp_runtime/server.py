"""Declaring a server: its name, its tools, its settings, and how its backend is opened."""

from __future__ import annotations

import importlib
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kmcp_runtime.endings import ended_quietly
from kmcp_runtime.instant import start

if TYPE_CHECKING:  # A server's script answers its first requests before these are loaded.
    from contextlib import AbstractAsyncContextManager
    from typing import Self

    from kmcp_runtime.call import Call
    from kmcp_runtime.declaration import ToolSpec
    from kmcp_runtime.settings import Settings


class Backend(ABC):
    """What a server's tools stand on, from `async with` until `close`.

    Opening it must not need the backend to be there; `ready` asks.
    """

    @abstractmethod
    def provide(self, call: Call) -> Mapping[type, Any]:
        """What tools of this call take from the server, by the type of the parameter."""

    @abstractmethod
    async def ready(self) -> None:
        """Return when the backend answers; raise a `ToolFailure` that says what is absent and what to set."""

    async def close(self) -> None:  # noqa: B027  # most backends in one file hold nothing that must be closed
        """Let go of connections, files and processes when the server ends; by default there are none."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _undeclared(*_: Any) -> Any:
    raise TypeError("a Server needs a package, or tools and open")


def _arguments_of_settings(settings: Settings) -> Mapping[str, Any]:
    return settings.extra_arguments()


_UNLOADED: Any = object()
"""Stands for settings that are loaded when they are first asked for."""


@dataclass(frozen=True)
class Home:
    """The namespace of a server's backend: what its tools touch nowhere else is granted in that namespace alone."""

    setting: str
    """Environment variable that names it."""
    namespace: str
    """Its usual name."""
    only: tuple[tuple[str, str], ...]
    """What tools touch nowhere else, as (API group, resource); ("*", "*"): objects of any kind."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server as its package declares it; the object behind an entry point of `kmcp.servers`.

    `package=__package__` is enough where the package holds `tools/` (every tool of every file in it) and `client.py`
    with `open_backend(settings)`. `tools` and `open` replace either. `settings_at` names the class of its settings as
    `module:Class`, which keeps the module out of a process that only answers its first requests; `settings` is the
    class itself.
    """

    name: str
    title: str
    description: str
    instructions: str
    port: int
    package: str = ""
    settings: type[Settings] = field(default_factory=lambda: _UNLOADED)
    settings_at: str = "kmcp_runtime.settings:Settings"
    tools: Callable[[], tuple[ToolSpec, ...]] = _undeclared
    open: Callable[[Any], AbstractAsyncContextManager[Backend]] = _undeclared
    extra_arguments: Callable[[Any], Mapping[str, Any]] = _arguments_of_settings
    """Arguments that exist only under a configuration (`context`), for every tool: name to (annotation, default)."""
    left_out: Callable[[Any], Collection[str]] = lambda settings: ()
    """Tools that a configuration has no use for; `when` of the tool says which one has."""
    first: tuple[str, ...] = ()
    """The most used tools: listed where a list of many servers is kept short."""
    at_doors: bool = False
    """True when its tools reach objects through `kmcp_runtime.kube` alone, which tells the policy each of them."""
    token_limit: int = 150
    category: str = "operations"
    tags: tuple[str, ...] = ()
    egress: tuple[str, ...] = ()
    image: str = ""
    """Where the image of a server of another distribution is, such as `registry.example.com/acme/kmcp-vault:1.2.0`."""
    published: bool = False
    """Whether the package index holds that distribution under its name; only then an export names it as a package."""
    home: Home | None = None
    """Of a backend that runs in the cluster."""

    def __post_init__(self) -> None:
        # A frozen dataclass fills in what it derives in this way only.
        if self.tools is _undeclared:
            object.__setattr__(self, "tools", self._find_tools)
        if self.open is _undeclared:
            object.__setattr__(self, "open", self._open_client)
        if self.settings is _UNLOADED:
            object.__delattr__(self, "settings")

    if not TYPE_CHECKING:  # Hidden from the type checker, which would take every name to exist.

        def __getattr__(self, name: str) -> Any:
            """The class of the settings, loaded when it is first asked for."""
            if name != "settings":
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            module, _, found = self.settings_at.partition(":")
            settings = getattr(importlib.import_module(module), found)
            object.__setattr__(self, "settings", settings)
            return settings

    @property
    def full_name(self) -> str:
        return f"kmcp-{self.name}"

    def main(self, argv: Sequence[str] | None = None) -> int:
        """The server's own script: serve until a signal; returns the exit code. `argv` defaults to the command line."""
        arguments = sys.argv[1:] if argv is None else argv
        return ended_quietly(lambda: start.run([self], arguments, self.full_name, self.description, self.port))

    def finds_its_tools(self) -> bool:
        """Whether its tools are those of its package, as far as it was not told otherwise."""
        return getattr(self.tools, "__func__", None) is Server._find_tools

    def _find_tools(self) -> tuple[ToolSpec, ...]:
        from kmcp_runtime.declaration import tools_below

        return tools_below(importlib.import_module(f"{self.package}.tools"))

    def _open_client(self, settings: Any) -> AbstractAsyncContextManager[Backend]:
        # Imported now and no sooner: a list of the tools needs none of the libraries that the backend needs.
        client = importlib.import_module(f"{self.package}.client")
        opened: AbstractAsyncContextManager[Backend] = client.open_backend(settings)
        return opened
