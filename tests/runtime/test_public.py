"""What an author of tools imports: light, whole, and in ten concepts on one page."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

import kmcp_runtime
from kmcp_runtime import Call, Effect, Result, ToolSpec, public, tool, tools_in
from kmcp_runtime.reference.writing_tools import CONCEPTS, PAGE, generated

HEAVY = ("fastmcp", "mcp", "mcp_types", "starlette", "uvicorn", "kubernetes", "aiohttp", "httpx2")
RUNTIME = Path(kmcp_runtime.__file__).parent


class Shelf:
    """What a backend provides."""


class Books(Result):
    names: list[str]


@tool(Effect.READ)
async def shelf_books(
    shelf: Shelf, call: Call, shelves: Annotated[list[int], Field(max_length=3), "Which shelves"], by: str = "name"
) -> Books:
    """List the books of some shelves, in an order."""
    return Books(names=[])


@pytest.fixture
def declared() -> ToolSpec:
    (found,) = tools_in(sys.modules[__name__])
    return found


def test_a_class_that_json_cannot_hold_comes_from_the_server(declared: ToolSpec) -> None:
    assert dict(declared.injections) == {"shelf": Shelf, "call": Call}
    assert declared.parameters == {"shelves", "by"}


def test_a_text_describes_an_argument_and_limits_stay(declared: ToolSpec) -> None:
    shelves = declared.input_schema()["properties"]["shelves"]
    assert (shelves["description"], shelves["maxItems"]) == ("Which shelves", 3)


@pytest.mark.parametrize(
    "imported", ["kmcp_runtime", "kmcp_runtime.public", "kmcp_clock.tools.clock", "kmcp_clock.server"]
)
def test_an_import_loads_neither_the_engine_nor_a_client(imported: str) -> None:
    program = f"import sys, {imported}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {name for name in loaded if name in HEAVY or name.startswith("kmcp_runtime.engine")}


def test_every_public_name_is_found_and_hides_no_module() -> None:
    for name in public.__all__:
        assert getattr(kmcp_runtime, name) is getattr(public, name)
        assert not (RUNTIME / f"{name}.py").exists()
        # `redaction` is a package and is public as such: asking for it gives the package itself.
        assert not (RUNTIME / name).exists() or getattr(kmcp_runtime, name).__name__ == f"kmcp_runtime.{name}"
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        kmcp_runtime.nonsense  # type: ignore[attr-defined]  # noqa: B018  # asking for it is the point


def test_the_page_explains_every_name_under_ten_concepts() -> None:
    assert len(CONCEPTS) == 10
    rows = [line for line in generated()[PAGE].splitlines() if line.startswith("| `")]
    assert len(rows) == len(public.__all__)
    assert [row for row in rows if row.endswith("|  |")] == []
