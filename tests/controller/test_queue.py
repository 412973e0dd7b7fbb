"""The queue of passes: order, debounce, one pass of a key at a time, another try after a failure."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from kmcp_controller.cluster.queue import Queue, Urgency
from kmcp_controller.cluster.store import Key
from tests.waiting import until

A, B, C = ("tools", "a"), ("tools", "b"), ("tools", "c")
Work = Callable[[Key], Awaitable[float | None]]


@contextlib.asynccontextmanager
async def running(work: Work, workers: int = 1, failed: list[Exception] | None = None) -> AsyncIterator[Queue]:
    """A queue that starts with the first `allow`."""
    queue = Queue(work, lambda key, error: (failed if failed is not None else []).append(error))
    task = asyncio.create_task(queue.run(workers))
    yield queue
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def seen(passes: list[Key], count: int) -> None:
    async def length() -> int:
        return len(passes)

    await until(length, lambda found: found >= count, 10, f"{count} passes")


async def test_the_most_urgent_goes_first_and_each_key_once() -> None:
    passes: list[Key] = []

    async def work(key: Key) -> None:
        passes.append(key)

    async with running(work) as queue:
        for key, urgency in ((A, Urgency.RESYNC), (B, Urgency.DRIFT), (C, Urgency.RESYNC), (C, Urgency.SPEC)):
            queue.add(key, urgency, 0)
        queue.add(A, Urgency.RESYNC, 0)
        assert len(queue) == 3
        queue.allow(True)
        await seen(passes, 3)
        assert len(queue) == 0
    assert passes == [C, B, A]


async def test_the_earlier_time_of_two_wishes_counts() -> None:
    passes: list[Key] = []

    async def work(key: Key) -> None:
        passes.append(key)

    async with running(work) as queue:
        queue.allow(True)
        queue.add(A, Urgency.RESYNC, 3600)
        queue.add(A, Urgency.DRIFT, 0)
        queue.add(A, Urgency.RESYNC, 3600)
        await seen(passes, 1)


async def test_passes_of_one_key_never_overlap_and_no_wish_is_lost() -> None:
    passes: list[Key] = []
    free, at_once, most = asyncio.Event(), 0, 0

    async def work(key: Key) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        passes.append(key)
        await free.wait()
        at_once -= 1

    async with running(work, workers=4) as queue:
        queue.allow(True)
        queue.add(A, Urgency.SPEC, 0)
        await seen(passes, 1)
        queue.add(A, Urgency.DRIFT, 0)
        queue.add(B, Urgency.DRIFT, 0)
        await seen(passes, 2)  # B, while A is still busy
        assert passes == [A, B]
        free.set()
        await seen(passes, 3)
    assert passes == [A, B, A]
    assert most == 2


async def test_a_failed_pass_is_tried_again() -> None:
    failures: list[Exception] = []
    passes: list[Key] = []

    async def work(key: Key) -> None:
        passes.append(key)
        if len(passes) == 1:
            raise ValueError("once")

    async with running(work, failed=failures) as queue:
        queue.allow(True)
        queue.add(A, Urgency.SPEC, 0)
        await seen(passes, 2)
    assert [str(each) for each in failures] == ["once"]


async def test_nothing_starts_without_the_lease() -> None:
    passes: list[Key] = []

    async def work(key: Key) -> None:
        passes.append(key)

    async with running(work) as queue:
        queue.add(A, Urgency.SPEC, 0)
        for _ in range(100):
            await asyncio.sleep(0)
        assert passes == []
        queue.allow(True)
        await seen(passes, 1)
