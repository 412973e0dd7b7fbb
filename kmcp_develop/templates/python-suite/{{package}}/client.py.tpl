"""What the tools stand on; put the client of your backend here."""

from collections.abc import Mapping
from typing import Any

from kmcp_runtime import Backend, Call, Settings


class Greeter(Backend):
    """Every parameter of this type is filled in by the server."""

    def provide(self, call: Call) -> Mapping[type, Any]:
        return {Greeter: self}

    async def ready(self) -> None:
        """Raise `unavailable(…)` here when the backend cannot be reached, with what to set."""

    def greet(self, name: str) -> str:
        return f"Hello, {name}!"


def open_backend(settings: Settings) -> Greeter:
    return Greeter()
