"""`make evals`: the tasks on the test cluster, by the reference scripts or by a client of yours."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from evals import figures, place, world
from evals.reference import Outcome
from evals.running import CLIENT, PEER, Way, run_all
from evals.task import Task, load
from tests.cluster.model import ClusterUnavailable

MENDED = Path(__file__).parent / "mended.md"


def main(argv: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    tasks = load()
    if fault := _refusal(options, tasks):
        print(f"make evals: {fault}", file=sys.stderr)
        return 2
    tasks = [
        task
        for task in tasks
        if (not options.task or task.name in options.task) and (not options.server or task.server in options.server)
    ]
    if options.list:
        print(*(f"{task.name:42} {' '.join(task.prompt.split())}" for task in tasks), sep="\n")
        return 0
    try:
        return asyncio.run(_run(options, tasks))
    except (world.RefusedContext, ClusterUnavailable) as error:
        print(f"make evals: {error}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("make evals: interrupted; its namespaces are deleted", file=sys.stderr)
        return 130


def _refusal(options: argparse.Namespace, tasks: list[Task]) -> str | None:
    """What of the options cannot be done, before anything is started."""
    for kind, chosen, known in (
        ("task", options.task, [task.name for task in tasks]),
        ("server", options.server, sorted({task.server for task in tasks})),
    ):
        if unknown := sorted(set(chosen or ()) - set(known)):
            return f"no {kind} {', '.join(unknown)}; there are: {', '.join(known)}"
    if options.write and (options.task or options.server or options.client):
        return (
            "--write: the page holds all tasks, done by the reference scripts; leave out --task, --server and --client"
        )
    return figures.why_not_writable() if options.write else None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make evals ARGS=…", description=__doc__)
    parser.add_argument("--task", action="append", help="only this task; may be repeated")
    parser.add_argument("--server", action="append", help="only tasks of this server; may be repeated")
    parser.add_argument("--list", action="store_true", help="list the tasks and what is asked, and end")
    parser.add_argument(
        "--peer", action="store_true", help="run kubernetes-mcp-server beside ours, where a task has both"
    )
    parser.add_argument("--client", metavar="CMD", help="a client: the prompt on stdin, the address in KMCP_EVAL_URL")
    parser.add_argument(
        "--client-seconds", type=float, default=300, help="longest work on a task (default %(default)s)"
    )
    parser.add_argument("--jobs", type=int, default=3, help="tasks at the same time (default %(default)s)")
    parser.add_argument(
        "--context", help="a context of your kubeconfig instead of the test cluster; tasks break things"
    )
    parser.add_argument("--write", action="store_true", help="write the tables to docs/reference/evals.md")
    parser.add_argument("--verbose", action="store_true", help="print the answers too")
    parser.add_argument("--clean", action="store_true", help="delete what a run that was killed has left, and end")
    return parser


async def _run(options: argparse.Namespace, tasks: list[Task]) -> int:
    # SIGTERM cancels as Ctrl-C does, so that every namespace is deleted.
    current = asyncio.current_task()
    assert current is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, current.cancel)
    with world.private_folder() as name:
        folder = Path(name)
        cluster = world.find_cluster(options.context, folder)
        if options.clean:
            print(await place.sweep(world.tools_of(cluster)))
            return 0
        needs = {need for task in tasks for need in task.needs}
        async with world.world_of(cluster, folder, world.servers_for(tasks), needs, options.peer) as found:
            ways = _ways(options)
            outcomes = await run_all(
                tasks, found, ways, 1 if options.client else options.jobs, _teller(options.verbose)
            )
    return _finish(options, tasks, outcomes)


def _ways(options: argparse.Namespace) -> list[Way]:
    if options.client:
        return [Way(CLIENT, options.client, options.client_seconds)]
    return [Way(), *([Way(PEER)] if options.peer else [])]


class _teller:  # noqa: N801  # a function with a setting
    def __init__(self, verbose: bool) -> None:
        self._verbose = verbose

    def __call__(self, outcome: Outcome) -> None:
        cost = outcome.cost
        line = f"{'ok  ' if outcome.good else 'FAIL'} {outcome.by:9} {outcome.task:42} "
        print(
            f"{line}{cost.calls:3} calls {cost.tokens:6} tokens {cost.read:7} bytes {outcome.seconds:5.0f} s",
            flush=True,
        )
        for fault in outcome.faults:
            print(f"     {fault}")
        if self._verbose:
            print(*outcome.answers, sep="\n----\n")


def _finish(options: argparse.Namespace, tasks: list[Task], outcomes: list[Outcome]) -> int:
    ours, theirs = figures.split(outcomes)
    print("", *figures.table(ours), sep="\n")
    if theirs:
        print("", *figures.beside(ours, theirs), sep="\n")
    goals = list(figures.goals(ours, theirs))
    print("", *(goal.line() for goal in goals), sep="\n")
    if options.write:
        figures.write(tasks, outcomes, MENDED)
    return 0 if all(each.good for each in ours) else 1


if __name__ == "__main__":
    sys.exit(main())
