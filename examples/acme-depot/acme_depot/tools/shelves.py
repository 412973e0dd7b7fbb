"""Shelves of the depot."""

from typing import Annotated

from pydantic import Field

from acme_depot.client import Depot
from kmcp_runtime import Effect, Result, did_you_mean, not_found, tool


class Shelf(Result):
    """A shelf."""

    count: int = Field(description="Number of items")


@tool(Effect.READ)
async def depot_count_items(depot: Depot, shelf: Annotated[str, "Name of the shelf"]) -> Shelf:
    """Count the items of a shelf; use it before promising a delivery."""
    shelves = depot.read_shelves()
    if shelf not in shelves:
        raise not_found(f"no shelf {shelf!r}", did_you_mean(shelf, shelves) or f"there are {', '.join(shelves)}")
    return Shelf(count=shelves[shelf])
