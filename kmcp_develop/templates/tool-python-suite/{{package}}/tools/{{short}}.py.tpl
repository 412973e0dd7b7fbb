"""{{title}}."""

from typing import Annotated

from kmcp_runtime import Effect, Result, tool
from pydantic import Field


class {{model}}(Result):
    """What `{{tool}}` answers."""

    text: str = Field(description="The answer")


@tool(Effect.READ)
async def {{tool}}(
    name: Annotated[str, "What to answer about"],
) -> {{model}}:
    """Say what this tool answers, and when to use it."""
    return {{model}}(text=name)
