"""Building an index: sources are read, changed pages parsed and cut, and the finished file takes the old one's place.

The work happens in a file beside the index (`….building`), committed page by page, so that an interrupted build
continues where it stopped and a server never sees half an index.
"""

import fcntl
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from kmcp_querydoc import parsing
from kmcp_querydoc.index import layout
from kmcp_querydoc.index.seal import fault
from kmcp_querydoc.index.writing import Writer, is_whole
from kmcp_querydoc.parsing import chunking
from kmcp_querydoc.parsing.chunking import Chunk
from kmcp_querydoc.sources.definitions import Source
from kmcp_querydoc.sources.gathering import Gathered, gather
from kmcp_querydoc.sources.page import Page, Skipped, Workshop
from kmcp_runtime import ToolFailure, conflict

FACTS = {"format": layout.FORMAT, "parsing": str(parsing.REVISION)}
_PAGES_A_COMMIT = 50
_LINES_A_CHUNK = 60
"""Of source code, with a few lines of the chunk before."""
_LINES_REPEATED = 5


@dataclass
class Outcome:
    """What became of one source."""

    source: Source
    pages: int = 0
    changed: int = 0
    removed: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    failure: ToolFailure | None = None

    def line(self) -> str:
        if self.failure is not None:
            return f"{self.source.title}: failed: {self.failure.message}"
        summary = f"{self.source.title}: {self.pages} pages, {self.changed} changed, {self.removed} removed"
        return summary + (f", {len(self.skipped)} could not be read" if self.skipped else "")


async def build(sources: Sequence[Source], index: Path, workshop: Workshop) -> list[Outcome]:
    """Bring the index up to date with these sources; products that they don't name stay as they are."""
    index.parent.mkdir(parents=True, exist_ok=True)
    with _alone(index), _work(index, workshop) as writer:
        outcomes = [await _attempt(source, writer, workshop) for source in sources]
        if any(outcome.changed or outcome.removed for outcome in outcomes) or not _is_sound(index):
            _finish(writer, index, workshop)
    return outcomes


def remove(names: Iterable[tuple[str, str | None]], index: Path, workshop: Workshop) -> int:
    """Take products out of an index and return the number of versions removed."""
    with _alone(index), _work(index, workshop) as writer:
        removed = sum(writer.remove_product(name, version) for name, version in names)
        if removed:
            _finish(writer, index, workshop)
    return removed


def in_memory(source: Source, pages: Iterable[Page]) -> Writer:
    """An index that lives only in this process."""
    writer = Writer(":memory:")
    writer.create(FACTS)
    product = writer.product(source.product, source.version)
    writer.begin()
    for page in pages:
        _put(page, product, writer, {})
    writer.complete(product, source.model_dump_json(), "", _now(), source.aliases)
    writer.commit()
    writer.derive()
    return writer


def _finish(writer: Writer, index: Path, workshop: Workshop) -> None:
    workshop.say("writing the index")
    writer.derive()
    writer.publish(index)


def _is_sound(index: Path) -> bool:
    return index.is_file() and fault(index) is None


@contextmanager
def _alone(index: Path) -> Iterator[None]:
    """One build at a time works on an index; the lock ends with the process, however it ends."""
    with index.with_name(f"{index.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise conflict(f"another build of {index} is running", "wait until it has finished") from None
        yield


@contextmanager
def _work(index: Path, workshop: Workshop) -> Iterator[Writer]:
    """The index to work on: what an interrupted build left, a copy of the last one, or a new one."""
    work = index.with_name(f"{index.name}.building")
    if work.is_file() and _usable(work):
        workshop.say("continuing the build that was interrupted")
    elif index.is_file():
        wrong = fault(index)
        if wrong:
            workshop.say(f"{index} cannot be used ({wrong}): building a new one")
            work.unlink(missing_ok=True)
        else:
            # A copy: servers have the old file open until the new one takes its place.
            shutil.copyfile(index, work)
    new = not (work.is_file() and _usable(work))
    if new:
        work.unlink(missing_ok=True)
    writer = Writer(work)
    try:
        if new:
            writer.create(FACTS)
        yield writer
    finally:
        writer.close()
    work.unlink()


def _usable(work: Path) -> bool:
    """Whole, and made by this version: another one would have cut the pages differently."""
    if not is_whole(work):
        return False
    writer = Writer(work)
    try:
        return writer.facts() == FACTS
    except Exception:
        return False
    finally:
        writer.close()


async def _attempt(source: Source, writer: Writer, workshop: Workshop) -> Outcome:
    outcome = Outcome(source)
    try:
        await _update(source, writer, workshop, outcome)
    except ToolFailure as failure:
        # The other products are still built, and what was indexed of this one stays.
        outcome.failure = failure
    workshop.say(outcome.line())
    return outcome


async def _update(source: Source, writer: Writer, workshop: Workshop, outcome: Outcome) -> None:
    product = writer.product(source.product, source.version)
    gathered = await gather(source, workshop, writer.stamps(product))
    definition = source.public().model_dump_json()
    if gathered.revision and writer.origin(product) == (definition, gathered.revision):
        outcome.pages = len(writer.digests(product))
        return
    # Only after every page was read is it known which ones are gone: a failed read must not delete pages.
    seen = await _write_pages(gathered, product, writer, workshop, outcome)
    gone = set(writer.digests(product)) - seen
    writer.begin()
    writer.remove_pages(product, gone)
    writer.complete(product, definition, gathered.revision, _now(), source.aliases)
    writer.commit()
    outcome.removed = len(gone)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def _write_pages(
    gathered: Gathered, product: int, writer: Writer, workshop: Workshop, outcome: Outcome
) -> set[str]:
    known = writer.digests(product)
    seen: set[str] = set()
    writer.begin()
    try:
        async for page in gathered.pages:
            seen.add(page.path)
            outcome.pages += 1
            if isinstance(page, Page):
                outcome.changed += _put(page, product, writer, known)
            elif isinstance(page, Skipped):
                outcome.skipped.append(page)
                workshop.say(f"{outcome.source.title}: {page.path} is left out: {page.why}")
            if outcome.pages % _PAGES_A_COMMIT == 0:
                writer.commit()
                writer.begin()
                workshop.say(f"{outcome.source.title}: {outcome.pages} pages, {outcome.changed} changed")
    finally:
        # Pages that were read before a failure are kept, so that the next build starts behind them.
        writer.commit()
    return seen


def _put(page: Page, product: int, writer: Writer, known: dict[str, str]) -> bool:
    if known.get(page.path) == page.digest():
        # The source's stamp may change without the text: keep the new one, or the page is fetched in every build.
        writer.restamp(product, page.path, page.stamp)
        return False
    if page.format == "code":
        writer.put(product, page, page.path, list(_code(page.text)))
    else:
        document = parsing.FORMATS[page.format](page.text)
        cut = [(chunk, 0) for chunk in chunking.cut(document)]
        writer.put(product, page, document.title or page.path.rpartition("/")[2], cut)
    return True


def _code(text: str) -> Iterator[tuple[Chunk, int]]:
    """Source code in windows of lines that overlap a little."""
    lines = text.split("\n")
    for start in range(0, max(len(lines) - _LINES_REPEATED, 1), _LINES_A_CHUNK - _LINES_REPEATED):
        window = "\n".join(lines[start : start + _LINES_A_CHUNK]).rstrip()
        if window.strip():
            yield Chunk((), "", window), start + 1
