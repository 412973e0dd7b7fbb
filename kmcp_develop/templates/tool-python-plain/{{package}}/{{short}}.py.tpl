"""{{title}}."""

from typing import Annotated

from mcp_types import ToolAnnotations

from {{package}}.server import mcp

READS = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)


@mcp.tool(title="{{title}}", annotations=READS)
def {{tool}}(
    name: Annotated[str, "What to answer about"],
) -> dict[str, str]:
    """Say what this tool answers, and when to use it."""
    return {"text": name}
