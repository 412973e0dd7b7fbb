"""`kmcp-suite docs …`: build an index of documentation, list what it holds, take products out of it.

kmcp-suite docs build [FILE …]      bring the index up to date with the sources of these files
                                    (none: Prometheus, Argo Rollouts, Cilium and Helm, from their pinned Go modules)
kmcp-suite docs list                the products of the index
kmcp-suite docs check               whether the index is as its build left it
kmcp-suite docs remove PRODUCT[@VERSION] …
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from importlib.resources import as_file, files
from pathlib import Path

from kmcp_querydoc import building
from kmcp_querydoc.index.reading import Index, open_file
from kmcp_querydoc.index.seal import fault
from kmcp_querydoc.settings import default_index
from kmcp_querydoc.sources import definitions, suite
from kmcp_querydoc.sources.definitions import Source
from kmcp_querydoc.sources.page import Workshop
from kmcp_runtime import ToolFailure, did_you_mean, not_found, redaction, unavailable
from kmcp_runtime.endings import INTERRUPTED
from kmcp_runtime.web import Timeouts, Web

PAGE_SECONDS = Timeouts(connect=10, read=30, whole=60)
_Action = Callable[[argparse.Namespace], int]


def docs(argv: Sequence[str]) -> int:
    """Build, list, check and remove what the documentation search finds."""
    chosen = _parser().parse_args(argv)
    action: _Action = {"build": _build, "list": _list, "check": _check, "remove": _remove}[chosen.action]
    try:
        return action(chosen)
    except ToolFailure as failure:
        hint = f" ({failure.hint})" if failure.hint else ""
        print(f"kmcp-suite docs: {redaction.text(failure.message + hint)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("kmcp-suite docs: interrupted; the next build continues where this one stopped", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kmcp-suite docs", description="The index of the documentation server.")
    actions = parser.add_subparsers(dest="action", required=True)
    building_parser = actions.add_parser("build", help="bring the index up to date with its sources")
    building_parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="YAML files that list sources")
    building_parser.add_argument("--only", action="append", metavar="PRODUCT", help="only this product; repeatable")
    removing = actions.add_parser("remove", help="remove products from the index")
    removing.add_argument("products", nargs="+", metavar="PRODUCT[@VERSION]")
    listing = actions.add_parser("list", help="show the products of the index")
    checking = actions.add_parser("check", help="compare the index with its checksum")
    for each in (building_parser, removing, listing, checking):
        each.add_argument("--index", type=Path, default=default_index(), help="the index's file (default: %(default)s)")
    return parser


def _build(chosen: argparse.Namespace) -> int:
    sources = _wanted(_sources(chosen.files), chosen.only)
    outcomes = asyncio.run(_run_build(sources, chosen.index.expanduser()))
    # The failures come once more at the end: between the lines of a long build nobody sees them.
    failures = [outcome.failure for outcome in outcomes if outcome.failure is not None]
    for failure in failures:
        print(redaction.text(f"{failure.message}{f' ({failure.hint})' if failure.hint else ''}"), file=sys.stderr)
    print(f"{chosen.index}: {sum(outcome.pages for outcome in outcomes)} pages of {len(outcomes)} products")
    return 1 if failures else 0


async def _run_build(sources: Sequence[Source], index: Path) -> list[building.Outcome]:
    async with Web(PAGE_SECONDS) as web:
        return await building.build(sources, index, _workshop(web))


def _workshop(web: Web) -> Workshop:
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Workshop(web, Path(base).expanduser() / "kmcp-suite" / "docs", os.environ, _say)


def _say(text: str) -> None:
    print(redaction.text(text), file=sys.stderr, flush=True)


def _sources(paths: Sequence[Path]) -> list[Source]:
    """Of the files, or those that come with the suite; its own documentation is always part of an index."""
    if paths:
        found = [source for path in paths for source in definitions.read(path)]
    else:
        with as_file(files("kmcp_querydoc").joinpath("sources.yaml")) as path:
            found = definitions.read(path)
    return [*found, suite.source()]


def _wanted(sources: Sequence[Source], only: Sequence[str] | None) -> list[Source]:
    names = {source.product for source in sources}
    for name in only or ():
        if name not in names:
            suggestion = did_you_mean(name, names) or f"there are {', '.join(sorted(names))}"
            raise not_found(f"--only: no source has the product {name!r}", suggestion)
    return [source for source in sources if not only or source.product in only]


def _list(chosen: argparse.Namespace) -> int:
    with closing(_opened(chosen.index.expanduser())) as index:
        for each in index.products:
            kind = "code" if each.code else "documents"
            print(f"{each.name} {each.version}: {each.pages} pages, {each.chunks} chunks of {kind}, built {each.built}")
    return 0


def _check(chosen: argparse.Namespace) -> int:
    with closing(_opened(chosen.index.expanduser())) as index:
        print(f"{chosen.index}: sound, {sum(each.chunks for each in index.products)} chunks")
    return 0


def _opened(path: Path) -> Index:
    hint = "run `kmcp-suite docs build`"
    if not path.is_file():
        raise not_found(f"there is no index {path}", hint)
    wrong = fault(path)
    if wrong:
        raise unavailable(f"{path} cannot be used: {wrong}", f"{hint} to replace it")
    return Index(open_file(path))


def _remove(chosen: argparse.Namespace) -> int:
    index = chosen.index.expanduser()
    # A missing or damaged index is reported instead of being replaced by an empty one.
    _opened(index).close()
    pairs = [name.partition("@") for name in chosen.products]
    removed = building.remove([(name, version or None) for name, _, version in pairs], index, _workshop(Web()))
    print(f"{index}: {removed} removed")
    return 0 if removed else 1
