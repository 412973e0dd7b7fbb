"""N7: numbers that no float holds, in a backend's answer: said so, and never an internal error."""

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.prometheus.conftest import connect
from tests.serving import served

NINES = "9" * 400


async def _ask(at: str, value: str) -> dict[str, Any]:
    """What the tool makes of a vector with this time and this value."""

    async def answer(request: Request) -> Response:
        sample = f'{{"metric": {{"__name__": "up"}}, "value": [{at}, "{value}"]}}'
        body = f'{{"status": "success", "data": {{"resultType": "vector", "result": [{sample}]}}}}'
        return Response(body, media_type="application/json")

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])
    async with served(app, lifespan="off") as url, connect(prometheus_url=url) as tools:
        result = await tools.client.call_tool("prometheus_query_tool", {"query": "up"}, raise_on_error=False)
    return {"failed": result.is_error, "text": str(result.content), "found": result.structured_content}


@pytest.mark.parametrize(("value", "note"), [(NINES, "+Inf"), (f"-{NINES}", "-Inf"), ("1e999", "+Inf")])
async def test_a_value_beyond_any_float_is_infinite(value: str, note: str) -> None:
    found = await _ask("1700000000", value)
    assert not found["failed"], found["text"]
    item = found["found"]["items"][0]
    assert (item["value"], item["note"]) == (None, note)


@pytest.mark.parametrize("at", ["1e400", "-1e400"])
async def test_a_time_beyond_any_float_is_the_fault_of_the_backend(at: str) -> None:
    found = await _ask(at, "1")
    assert found["failed"]
    assert '"unavailable"' in found["text"].replace("\\", "")
