"""What the console takes: so many calls at once, and arguments that a request can hold."""

import asyncio
import json

import httpx2
import pytest

from tests.controller.consoles import PATH, own, shelf_page
from tests.controller.test_console import events, send
from tests.slowness import scaled
from tests.waiting import until


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('"\\ud800"', "half of a character"),
        ('{"\\udfff": 1}', "half of a character"),
        ("NaN", "NaN"),
        ("[1e999]", "too large"),
    ],
)
async def test_arguments_that_no_request_can_hold_are_said(value: str, text: str) -> None:
    async with shelf_page() as page, httpx2.AsyncClient(trust_env=False) as http:
        body = f'{{"tool": "shelf_read", "arguments": {{"name": {value}}}}}'
        answer = await http.post(f"{page.base}{PATH}/call", content=body, headers=own(page.base))
        (event,) = events(answer.text)
        assert event["status"] == 0
        assert event["error"].startswith("the arguments cannot be sent: ")
        assert text in event["error"]


async def test_calls_at_once_are_bounded_however_close_they_come() -> None:
    async with shelf_page() as page, httpx2.AsyncClient(trust_env=False, timeout=scaled(30)) as http:
        body = json.dumps({"tool": "shelf_wait", "arguments": {"seconds": "4s"}})
        statuses: list[int] = []
        leaving = asyncio.Event()

        async def call() -> None:
            address = f"{page.base}{PATH}/call"
            async with http.stream("POST", address, content=body, headers=own(page.base)) as answer:
                statuses.append(answer.status_code)
                if len(statuses) == 40:
                    leaving.set()
                await leaving.wait()

        await asyncio.gather(*(call() for _ in range(40)))
        assert sorted(statuses) == [200] * 16 + [503] * 24

        async def answers() -> bool:
            return (await send(page.base, "shelf_list", {})).status_code == 200

        await until(answers, what="room for a call")
