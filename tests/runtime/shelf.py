"""A small server of another team, built exactly like ours: it keeps books on a shelf.

It exercises what every server gets from the runtime; its backend is a dictionary.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from kmcp_runtime import (
    Backend,
    Body,
    Call,
    Change,
    Cursor,
    Diff,
    DryRun,
    Duration,
    Effect,
    EffectByArgument,
    Limit,
    Name,
    Page,
    Result,
    Rule,
    Server,
    Settings,
    Time,
    ToolFailure,
    ToolSpec,
    cursors,
    live_state,
    moment,
    not_found,
    setting,
    tool,
    tools_in,
    unavailable,
    unpublished,
)
from kmcp_runtime.hints import by_tool


class ShelfSettings(Settings):
    shelf_url: str = setting("memory:", "Where the shelf stands", env="SHELF_URL", required=True)


class Shelf:
    def __init__(self) -> None:
        self.books: dict[str, str] = {}
        self.waiting = 0
        self.cancelled = 0


class ShelfBackend(Backend):
    def __init__(self, settings: ShelfSettings) -> None:
        self.settings = settings
        self.shelf = Shelf()

    def provide(self, call: Call) -> Mapping[type, Any]:
        return {Shelf: self.shelf}

    async def ready(self) -> None:
        if self.settings.shelf_url != "memory:":
            raise unavailable(f"no shelf at {self.settings.shelf_url}", "set SHELF_URL to memory:")


class Books(Page[dict[str, str]]):
    """Books by name."""


class Text(Body):
    """A long text."""

    cuttable = "text"
    text: str


class Waited(Result):
    seconds: float


@tool(
    Effect.READ,
    shows="objects",
    needs=(Rule("", ("books",), ("list",)),),
    renamed={"maxItems": "limit", "bookName": "name"},
)
async def shelf_list(shelf: Shelf, limit: Limit = 100, cursor: Cursor = None) -> Books:
    """List the books, by name."""
    start = int(cursors.decode(cursor, {})["o"]) if cursor else 0
    names = sorted(shelf.books)
    shown = names[start : start + limit]
    more = start + len(shown) < len(names)
    page = Books(
        items=[{"name": name, "text": shelf.books[name]} for name in shown],
        total=len(names),
        truncated=more,
        cursor=cursors.encode({"o": start + len(shown)}, {}) if more else None,
    )
    page.continues_at(lambda kept: cursors.encode({"o": start + kept}, {}))
    return page


@tool(Effect.READ, extra=True)
async def shelf_read(shelf: Shelf, name: Name) -> Text:
    """Read one book."""
    if name not in shelf.books:
        raise not_found(f"no book {name!r}", by_tool("objects", "names them"))
    return Text(text=shelf.books[name])


@tool(Effect.WRITE, idempotent=True)
async def shelf_put(shelf: Shelf, name: Name, text: Annotated[str, "Text"], dry_run: DryRun = False) -> Change:
    """Put a book on the shelf."""
    before = shelf.books.get(name)
    if not dry_run:
        shelf.books[name] = text
    diff = Diff({"text": before} if before is not None else None, {"text": text})
    return Change(kind="Book", name=name, result="put", changed=before != text, diff=diff, dry_run=dry_run or None)


@tool(Effect.DESTROY)
async def shelf_burn(shelf: Shelf, name: Name, dry_run: DryRun = False) -> Change:
    """Burn a book."""
    if name not in shelf.books:
        raise not_found(f"no book {name!r}", "shelf_list names them")
    live_state.bind(f"Book {name}", shelf.books[name])
    text = shelf.books[name] if dry_run else shelf.books.pop(name)
    return Change(
        kind="Book", name=name, result="burnt", changed=True, diff=Diff({"text": text}, None), dry_run=dry_run or None
    )


TIDYING = EffectByArgument(
    "action",
    {"count": Effect.READ, "sort": Effect.WRITE},
    usage={"count": "count()", "sort": "sort(order)", "clear": "clear()"},
    takes={"sort": ("order",)},
)


@tool(Effect.DESTROY, by=TIDYING)
async def shelf_tidy(
    shelf: Shelf,
    action: Annotated[Literal["count", "sort", "clear"], Field(description=TIDYING.told(TIDYING.usage) or "")],
    order: Annotated[Literal["name", "length"], "Order"] = "name",
    dry_run: DryRun = False,
) -> Change:
    """Count, sort or clear the shelf."""
    found = len(shelf.books)
    live_state.bind("Shelf", shelf.books)
    if action == "clear" and not dry_run:
        shelf.books.clear()
    return Change(
        kind="Shelf", name=f"{found} books", result=action, changed=action == "clear", dry_run=dry_run or None
    )


@tool(Effect.READ, timeout=5)
async def shelf_wait(
    shelf: Shelf,
    call: Call,
    seconds: Duration,
) -> Waited:
    """Wait, and tell how far it is."""
    shelf.waiting += 1
    try:
        await call.progress(1, 2, "half way")
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        shelf.cancelled += 1
        raise
    finally:
        shelf.waiting -= 1
    return Waited(seconds=seconds)


@tool(Effect.READ)
async def shelf_since(
    shelf: Shelf, start: Annotated[Time, Field(description="Not before", validate_default=True)] = moment("now-1h")
) -> Waited:
    """Tell which moment was meant."""
    return Waited(seconds=start)


@tool(Effect.READ, when="the shelf is tall")
async def shelf_ladder(shelf: Shelf) -> Waited:
    """Fetch the ladder."""
    return Waited(seconds=1)


@tool(Effect.READ)
async def shelf_break(shelf: Shelf) -> Waited:
    """Fail in a way that nobody thought of."""
    raise RuntimeError("password=hunter2-in-a-stack-trace")


@tool(Effect.READ)
async def shelf_refuse(shelf: Shelf) -> Waited:
    """Fail as a backend does."""
    raise ToolFailure(
        "unavailable", "cannot reach https://admin:hunter2@shelf.example/x", "token=hunter2", backend="shelf"
    )


TOOLS = (shelf_list, shelf_read, shelf_put, shelf_burn, shelf_tidy, shelf_wait, shelf_since, shelf_break, shelf_refuse)
"""What a shelf of usual height offers."""


def _this_room(room: str | None) -> str | None:
    if room not in (None, "library"):
        raise ValueError("only the library has a shelf")
    return room


ROOM = (Annotated[str | None, AfterValidator(_this_room), unpublished("Where older callers say the shelf is")], None)


def _tools() -> tuple[ToolSpec, ...]:
    return tools_in(sys.modules[__name__])


@asynccontextmanager
async def _open(settings: ShelfSettings) -> AsyncIterator[ShelfBackend]:
    yield ShelfBackend(settings)


SERVER = Server(
    name="shelf",
    title="Shelf",
    description="Books on a shelf.",
    instructions="Books on a shelf.",
    port=8999,
    tools=_tools,
    settings=ShelfSettings,
    open=_open,
    extra_arguments=lambda settings: {"room": ROOM},
    left_out=lambda settings: () if settings.shelf_url == "tall:" else ("shelf_ladder",),
)


def telling(server: Server) -> Server:
    """The same server, whose backend says on stdout when it is opened and closed."""

    @asynccontextmanager
    async def opened(settings: ShelfSettings) -> AsyncIterator[ShelfBackend]:
        print("open")
        yield ShelfBackend(settings)
        print("closed")

    return replace(server, open=opened)
