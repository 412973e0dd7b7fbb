"""Greetings."""

from typing import Annotated

from kmcp_runtime import Effect, Result, tool
from pydantic import Field

from {{package}}.client import Greeter


class Greeting(Result):
    """A greeting."""

    text: str = Field(description="The greeting")


@tool(Effect.READ)
async def {{package}}_greet(
    greeter: Greeter,
    name: Annotated[str, "Whom to greet"],
) -> Greeting:
    """Greet somebody by name; use it to see that the server answers."""
    return Greeting(text=greeter.greet(name))
