"""`kmcp-suite top`: calls, errors and latency of every tool, live in the terminal or once for a script."""

import argparse
import asyncio
import json
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

from kmcp_controller.telemetry.readings import Figures, Reading, Row, reading_of
from kmcp_runtime.endings import INTERRUPTED
from kmcp_runtime.errors import ToolFailure

from .instances import NOT_RUNNING
from .top_sources import NothingRunsError, Read, address_of, of_addresses, of_cluster, of_this_machine
from .top_table import SORTS, chosen, document, table

_WINDOW = 60.0
_WIDTH = 120  # columns of what is written to a file or a pipe


def top(argv: Sequence[str]) -> int:
    """Show calls, errors and latency of every tool of the servers that run, live until Ctrl-C."""
    given = _parser().parse_args(argv)
    try:
        return asyncio.run(_run(given))
    except KeyboardInterrupt:
        return INTERRUPTED
    except NothingRunsError as error:
        print(f"kmcp-suite top: {error}", file=sys.stderr)
        return NOT_RUNNING
    except ToolFailure as failure:
        print("kmcp-suite top: " + "; ".join(filter(None, (failure.message, failure.hint))), file=sys.stderr)
        return 1


async def _run(given: argparse.Namespace) -> int:
    figures = Figures(_WINDOW)
    async with _source(given) as read:
        if given.once or not (given.json or sys.stdout.isatty()):
            _show_once(given, figures, await _take(figures, read))
        elif given.json:
            await _stream(given, figures, read)
        else:
            await _follow(given, figures, read)
    return 0


def _source(given: argparse.Namespace) -> AbstractAsyncContextManager[Read]:
    if given.cluster:
        return of_cluster(given.kubeconfig, given.context, given.namespace)
    return of_addresses(given.url) if given.url else of_this_machine(given.port)


async def _take(figures: Figures, read: Read) -> dict[str, str]:
    """One reading of every source; what is wrong with those that have none. Errors: NothingRunsError, ToolFailure.

    Once there are figures nothing is an error: what does not answer now may come back.
    """
    readings, faults = dict[str, Reading](), dict[str, str]()
    try:
        texts = await read()
    except (NothingRunsError, ToolFailure) as error:
        if figures.is_empty:
            raise
        texts, faults = {}, {"the list of sources": error.message if isinstance(error, ToolFailure) else str(error)}
    for source, text in texts.items():
        if isinstance(text, Exception):
            faults[source] = text.message if isinstance(text, ToolFailure) else str(text)
            continue
        try:
            readings[source] = reading_of(text)
        except ValueError:
            faults[source] = "what it answers is not metrics"
    if not readings and figures.is_empty:
        raise NothingRunsError("; ".join(f"{source}: {fault}" for source, fault in faults.items()))
    figures.take(readings, time.monotonic())
    return faults


def _show_once(given: argparse.Namespace, figures: Figures, faults: Mapping[str, str]) -> None:
    """One reading: totals since the servers started."""
    rows = _rows(given, figures)
    if given.json:
        print(json.dumps(document(rows, figures, faults, _now())))
        return
    from rich.console import Console

    for source, fault in faults.items():
        print(f"kmcp-suite top: {source}: {fault}", file=sys.stderr)
    if not rows:
        print("no tool has been called yet", file=sys.stderr)
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDTH
    Console(width=width, highlight=False, file=sys.stdout).print(table(rows, width))


async def _stream(given: argparse.Namespace, figures: Figures, read: Read) -> None:
    """A document a line, until Ctrl-C."""
    while True:
        faults = await _take(figures, read)
        print(json.dumps(document(_rows(given, figures), figures, faults, _now())), flush=True)
        await asyncio.sleep(given.interval)


async def _follow(given: argparse.Namespace, figures: Figures, read: Read) -> None:
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    console = Console(highlight=False)
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            faults = await _take(figures, read)
            rows = _rows(given, figures)
            told = [_headline(given, figures, rows), *(f"{source}: {fault}" for source, fault in faults.items())][:4]
            head = [
                Text(each, no_wrap=True, overflow="ellipsis", style="red" if at else "dim")
                for at, each in enumerate(told)
            ]
            room = max(1, console.height - len(head) - 2)
            live.update(Group(*head, table(rows, console.width, room)), refresh=True)
            await asyncio.sleep(given.interval)


def _headline(given: argparse.Namespace, figures: Figures, rows: Sequence[Row]) -> str:
    window = f"rates and latency of the last {figures.seconds:.0f} s" if figures.seconds else "latency since the start"
    calls = sum(row.calls for row in rows)
    return f"{datetime.now():%H:%M:%S}  tools {len(rows)}, calls {calls}; {window}; by {given.sort}"


def _rows(given: argparse.Namespace, figures: Figures) -> list[Row]:
    return chosen(figures, given.sort, given.server)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("kmcp-suite top", description=top.__doc__)
    parser.add_argument("--once", action="store_true", help="one reading, since the servers started")
    parser.add_argument("--json", action="store_true", help="as JSON; without --once a line for each reading")
    parser.add_argument(
        "--sort", choices=sorted(SORTS), default="rate", help="order of the rows (default: %(default)s)"
    )
    parser.add_argument("--server", help="of this server alone, such as kubernetes")
    parser.add_argument("--interval", type=_interval, default=2.0, help="seconds between readings (default: 2)")
    where = parser.add_argument_group("where", "without one of these, the suites that run on this machine")
    where.add_argument("--port", type=int, help="of the tools of one of them, where several run")
    where.add_argument(
        "--url", type=_address, action="append", help="of a management port, http://HOST:8081; may be repeated"
    )
    where.add_argument("--cluster", action="store_true", help="every server of a cluster, by its pods")
    where.add_argument("--kubeconfig", default=os.environ.get("KUBECONFIG", ""), help="default: KUBECONFIG")
    where.add_argument("--context", help="of the kubeconfig (default: its current one)")
    where.add_argument("-n", "--namespace", help="of the cluster (default: all)")
    return parser


def _interval(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.2 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time; use 0.2 to 3600 seconds")
    return value


def _address(text: str) -> str:
    try:
        return address_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
