"""Indexes for tests: small ones of known pages, built the way that users build them."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastmcp import Client

from kmcp_querydoc import building
from kmcp_querydoc.building import Outcome
from kmcp_querydoc.server import SERVER
from kmcp_querydoc.settings import QuerydocSettings
from kmcp_querydoc.sources.definitions import Source
from kmcp_querydoc.sources.page import Workshop
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.web import Web
from tests.mcp import ToolCaller
from tests.patience import patient

PAGES = {
    "storage.md": """# Storage

Data lives on disk, in blocks of two hours; each of them is a directory with an index, its samples, and a list of what
was deleted of them since.

## Retention

Old samples are removed after the retention time, which `--storage.retention.time` sets.

## Backups

Take a snapshot of the data directory while the server runs.

## Corruption

A damaged block keeps the server from starting; remove its directory.
""",
    "alerts/rules.md": """# Alerting rules

A rule fires when its expression has held `for` a while.

## Flapping

`keep_firing_for` keeps an alert firing after its condition has gone.
""",
    "network/policy.rst": """Network policy
==============

Rules say who may talk to a workload.

Deny by default
---------------

An empty rule denies every connection.

.. code-block:: yaml

   kind: TrafficPolicy
   spec: {}

.. note:: Applies to pods, not to nodes.
""",
    "install.adoc": """= Installation
:product: Depot

== Requirements

{product} needs a kernel of 5.10 or newer.

[source,shell]
----
depot install --wait
----
""",
    "faq.html": """<html><head><title>FAQ</title></head><body><nav>Home Docs Blog</nav><main><h1>Questions</h1>
<h2 id="token">Where does the token come from?</h2><p>From the <code>depot login</code> command.</p></main>
<footer>Copyright Depot Inc</footer></body></html>""",
}


def write(folder: Path, pages: dict[str, str]) -> Path:
    for name, text in pages.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def source(folder: Path, product: str = "depot", version: str = "1.0", **more: Any) -> Source:
    return Source(product=product, version=version, folder=str(folder), **more)


def workshop(place: Path, web: Web | None = None) -> Workshop:
    """One that remembers what was said, as `said`."""
    said: list[str] = []
    made = Workshop(web or Web(), place / "cache", os.environ, said.append)
    made.said = said  # type: ignore[attr-defined]  # for the tests alone
    return made


async def build(index: Path, *sources: Source) -> list[Outcome]:
    async with Web() as web:
        return await building.build(sources, index, workshop(index.parent, web))


@asynccontextmanager
async def open_tools(index: Path | str, **runtime: Any) -> AsyncIterator[ToolCaller]:
    """A client of a server that reads this index."""
    settings = QuerydocSettings(docs_index=str(index))
    async with Client(assemble(SERVER, settings, patient(**runtime))) as client:
        yield ToolCaller(client)


def places(answer: dict[str, Any]) -> list[str]:
    """Paths and headings of what was found."""
    return [f"{item['url'].partition('#')[0]}: {item['heading_path']}" for item in answer["items"]]


def sections(pages: Sequence[dict[str, Any]]) -> list[str]:
    return [chunk["heading_path"] for chunk in pages]
