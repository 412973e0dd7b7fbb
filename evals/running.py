"""Tasks run, one after the other or some at a time, by the reference script, the peer's, or a person's client."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evals import client
from evals.place import Place, PlaceFailure, place_of
from evals.reference import Outcome, Script, judge
from evals.task import Task
from evals.world import World
from tests.slowness import scaled

REFERENCE, PEER, CLIENT = "reference", "peer", "client"
TASK_SECONDS = 240
"""Longest run of a task, set-up and checks included, on a quiet machine."""


@dataclass(frozen=True)
class Way:
    """How a task is run: by whom, and for a client its command and how long it may work."""

    by: str = REFERENCE
    command: str = ""
    seconds: float = 300


async def run_all(
    tasks: Sequence[Task], world: World, ways: Sequence[Way], jobs: int, told: Callable[[Outcome], None]
) -> list[Outcome]:
    """The outcomes in the order of the tasks; `told` gets each as soon as it is there."""
    slots = asyncio.Semaphore(jobs)

    async def one(task: Task, way: Way) -> Outcome:
        async with slots:
            outcome = await run_task(task, world, way)
        told(outcome)
        return outcome

    async with asyncio.TaskGroup() as group:
        started = [group.create_task(one(task, way)) for task in tasks for way in ways if way.by != PEER or task.peer]
    return [each.result() for each in started]


async def run_task(task: Task, world: World, way: Way) -> Outcome:
    """Set up, run, judge, remove. Nothing that goes wrong in a task ends the others."""
    outcome = Outcome(task.name, task.server, way.by)
    began = time.monotonic()
    limit = scaled(TASK_SECONDS) + (way.seconds if way.by == CLIENT else 0)
    try:
        async with asyncio.timeout(limit), place_of(task.name, world.tools, world.names, task.clean) as place:
            await place.prepare(task)
            await _work(task, world, way, place, outcome)
    except PlaceFailure as failure:
        outcome.faults.append(f"not set up: {failure}")
    except TimeoutError:
        outcome.faults.append(f"not done within {limit:.0f} s")
    except Exception as error:
        # Of the client or the server under test: a fault of this task, whatever it is.
        outcome.faults.append(f"{type(error).__name__}: {error}")
    outcome.seconds = time.monotonic() - began
    return outcome


async def _work(task: Task, world: World, way: Way, place: Place, outcome: Outcome) -> None:
    url = world.servers[PEER].url if way.by == PEER else world.address(task.query, task.needs)
    if way.by == CLIENT:
        answer = await client.work(task, url, way.command, way.seconds, place, world, outcome)
    else:
        script = Script(url, place, outcome)
        await script.run(task.peer if way.by == PEER else task.steps)
        answer = "\n".join(outcome.answers)
    if outcome.faults:
        return
    outcome.faults += judge(task, answer, place.names)
    for look in task.check:
        if fault := await place.fault(look):
            outcome.faults.append(fault)
    if way.by == REFERENCE:
        outcome.faults += _over_budget(task, outcome)


def _over_budget(task: Task, outcome: Outcome) -> list[str]:
    cost, budget = outcome.cost, task.budget
    faults = []
    if cost.calls > budget.calls:
        faults.append(f"{cost.calls} calls, more than {budget.calls}")
    if cost.tokens > budget.tokens:
        faults.append(f"{cost.tokens} tokens, more than {budget.tokens}")
    if budget.listed is not None and cost.listed > budget.listed:
        faults.append(f"{cost.listed} tools in the list, more than {budget.listed}")
    return faults
