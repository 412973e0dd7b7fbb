"""Greetings."""

from typing import Annotated

from mcp_types import ToolAnnotations

from {{package}}.server import mcp

READS = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)


@mcp.tool(title="Greet", annotations=READS)
def {{package}}_greet(
    name: Annotated[str, "Whom to greet"],
) -> dict[str, str]:
    """Greet somebody by name; use it to see that the server answers."""
    return {"text": f"Hello, {name}!"}
