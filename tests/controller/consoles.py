"""A catalog with a console before real servers: that of books, and any other ASGI application."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kmcp_controller.catalog.console import Console
from kmcp_controller.catalog.live_document import LiveDocument
from kmcp_controller.catalog.site import app
from kmcp_controller.discovery.mcp_client import fetch_listing
from kmcp_controller.discovery.tool_calls import call_tool
from kmcp_controller.status import Listing
from kmcp_runtime.engine import auth
from kmcp_runtime.engine.assembly import http_app
from tests.controller.listings import server
from tests.runtime import shelf
from tests.runtime.conftest import shelf_of, shelved
from tests.serving import served

TOKEN, ALL = "s3cret-token-of-ann", "s3cret-token-of-bob"
PATH = "/servers/tools/shelf"


@dataclass
class Shelved:
    """`base`: of the page; `url`: of the server itself; `shelf`: what it keeps."""

    base: str
    url: str
    live: LiveDocument
    shelf: shelf.Shelf


@asynccontextmanager
async def shelf_page(tokens: Path | None = None, **runtime: Any) -> AsyncIterator[Shelved]:
    """`tokens`: the server knows TOKEN, which may read, and ALL, by which its tools are listed."""
    if tokens:
        tokens.write_text(f"{TOKEN} ann read\n{ALL} bob\n")
        runtime["auth_tokens_file"] = str(tokens)
    instance = shelved(**runtime)
    instance_auth = auth.provider(instance.runtime)
    async with instance.opened(), served(http_app("shelf", [instance], instance_auth)) as own:
        signed = {"Authorization": f"Bearer {ALL}"} if tokens else {}
        url = f"{own}/shelf/mcp"
        async with catalog(url, await fetch_listing(url, signed, 10)) as (base, live):
            yield Shelved(base, url, live, shelf_of(instance))


@asynccontextmanager
async def catalog(url: str, listing: Listing, **changes: Any) -> AsyncIterator[tuple[str, LiveDocument]]:
    """The page of one server at `url`, with a console."""
    live = LiveDocument()
    live.update(server("shelf", url=url, listing=listing, **changes))
    pages = app(live, {}, hosts=["127.0.0.1", "localhost"], console=Console(call_tool))
    async with served(pages, lifespan="off") as base:
        yield base, live


def own(base: str, **more: str) -> Mapping[str, str]:
    """The headers of a request that the page itself sends."""
    return {"Origin": base, "Content-Type": "application/json", "Sec-Fetch-Site": "same-origin", **more}
