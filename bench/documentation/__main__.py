"""`make bench-docs`: how good and how fast documentation search is, through the server, on the labelled questions."""

import argparse
import asyncio
import os
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.documentation import page
from bench.documentation.baseline import Plain
from bench.documentation.questions import Quality, Question, questions
from bench.programs import Program, running
from bench.session import Session
from kmcp_querydoc import building
from kmcp_querydoc.sources import definitions, suite
from kmcp_querydoc.sources.definitions import Source
from kmcp_querydoc.sources.page import Workshop
from kmcp_runtime.web import Web

TOOL = "query_documentation"
CHUNKS = 20_000
_SERVER = [sys.executable, "-m", "kmcp_querydoc.server", "--port", "{port}", "--management-port", "0", "--no-audit"]
_SOURCES = Path(definitions.__file__).parents[1] / "sources.yaml"


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-docs", description=__doc__)
    parser.add_argument(
        "--place", type=Path, default=Path("~/.cache/kmcp-suite/bench-docs"), help="where indexes are kept"
    )
    parser.add_argument("--misses", action="store_true", help="list the questions of the tuned half that are missed")
    chosen = parser.parse_args()
    place = chosen.place.expanduser()
    place.mkdir(parents=True, exist_ok=True)
    return asyncio.run(_bench(place, chosen.misses))


async def _bench(place: Path, misses: bool) -> int:
    sources = [*definitions.read(_SOURCES), suite.source()]
    index, large = place / "docs.sqlite", place / "large.sqlite"
    await _build(index, sources)
    asked = questions()
    with running(_SERVER, {"KMCP_DOCS_INDEX": str(index)}) as server:
        goals = await _report("in the product", server, asked, scoped=True, misses=misses)
        page.write(asked, await _ask_all(server, asked, scoped=True), Plain(index))
        await _report("in all products", server, asked, scoped=False)
    with running(_SERVER, {"KMCP_DOCS_INDEX": str(index), "KMCP_DOCS_RERANK": "true"}) as server:
        await _report("in the product, re-ranked", server, asked, scoped=True)
    await _build(large, _repeated(sources))
    with running(_SERVER, {"KMCP_DOCS_INDEX": str(large)}) as server:
        fast = await _measure_speed(server, asked)
    return 0 if goals and fast else 1


async def _build(index: Path, sources: Sequence[Source]) -> None:
    async with Web() as web:
        workshop = Workshop(web, index.parent, os.environ, say)
        failures = [outcome.failure for outcome in await building.build(sources, index, workshop) if outcome.failure]
    if failures:
        raise SystemExit("; ".join(failure.message for failure in failures))


def _repeated(sources: Sequence[Source]) -> list[Source]:
    """The same pages as other products, until there are enough: words are as frequent as in one large index."""
    return [
        source.model_copy(update={"product": f"{source.product}-{copy}", "aliases": ()})
        for copy in range(4)
        for source in sources
    ]


async def _report(what: str, server: Program, asked: Sequence[Question], *, scoped: bool, misses: bool = False) -> bool:
    """Print the figures; whether those of the half that was held out reach the goals."""
    answers = await _ask_all(server, asked, scoped)
    reached = True
    for half, held_out in (("tuned on", False), ("held out", True)):
        for level, sections in (("page", False), ("section", True)):
            ranks = [
                question.rank(items, sections=sections)
                for question, items in zip(asked, answers, strict=True)
                if question.held_out is held_out
            ]
            quality = Quality.of(ranks)
            print(quality.line(f"{what}, {half}, by {level}"))
            if level == "page":
                reached &= quality.fifth >= 0.90 and quality.first >= 0.55
    for question, items in zip(asked, answers, strict=True) if misses else ():
        if not question.held_out and question.rank(items[:5], sections=False) is None:
            print(f"  missed: {question.product}: {question.ask}")
    return reached


async def _ask_all(server: Program, asked: Sequence[Question], scoped: bool) -> list[list[dict[str, Any]]]:
    session = await Session(server.url).open()
    found = []
    for question in asked:
        scope = {"product_name": question.product} if scoped else {}
        result, _ = await session.call(TOOL, {"query": question.ask, "limit": 10, **scope})
        found.append(result["structuredContent"]["items"])
    await session.close()
    return found


async def _measure_speed(server: Program, asked: Sequence[Question]) -> bool:
    """Every question over all products, one after the other; the first round opens the index and is not counted."""
    session = await Session(server.url).open()
    listed, _ = await session.call("list_products", {})
    chunks = sum(item["chunks"] for item in listed["structuredContent"]["items"])
    seconds: list[float] = []
    for counted in (False, True):
        cpu = server.cpu_seconds()
        for question in asked:
            started = time.perf_counter()
            await session.call(TOOL, {"query": question.ask})
            if counted:
                seconds.append(time.perf_counter() - started)
    spent = (server.cpu_seconds() - cpu) / len(asked) * 1000
    await session.close()
    seconds.sort()
    median, most = statistics.median(seconds) * 1000, seconds[int(len(seconds) * 0.95)] * 1000
    print(f"{chunks} chunks: {spent:.1f} ms of CPU a call in the server (goal <= 20), {server.memory_mib():.0f} MiB")
    print(f"over HTTP: median {median:.1f} ms, 95 % within {most:.1f} ms")
    return chunks >= CHUNKS and spent <= 20


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
