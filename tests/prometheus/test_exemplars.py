"""Exemplars: from a figure to the trace behind it."""

from typing import Any

from tests.mcp import ToolCaller
from tests.prometheus import exporter, known
from tests.waiting import until

EXEMPLARS = "prometheus_query_exemplars_tool"


async def test_exemplars_of_a_histogram(tools: ToolCaller) -> None:
    async def look() -> dict[str, Any]:
        return await tools.ok(EXEMPLARS, query="rate(checkout_seconds_bucket[5m])")

    answer = await until(look, lambda seen: len(seen["items"]) == 2, what="exemplars scraped")
    found = {item["series"]["le"]: item["exemplars"] for item in answer["items"]}
    assert found["0.5"][0]["labels"] == {"trace_id": exporter.TRACE}
    assert found["0.5"][0]["value"] == exporter.EXEMPLAR_VALUE
    assert found["+Inf"][0]["value"] == 1.5
    assert answer["truncated"] is False
    cut = await tools.ok(EXEMPLARS, query="checkout_seconds_bucket", limit=1)
    assert (len(cut["items"]), cut["truncated"]) == (1, True)
    assert "more exemplars" in cut["hint"]


async def test_none_are_explained(tools: ToolCaller) -> None:
    answer = await tools.ok(EXEMPLARS, query="shop_queue_used", start=known.BEGIN, end=known.END)
    assert answer["items"] == []
    assert "exemplar-storage" in answer["hint"]
    answer = await tools.ok(EXEMPLARS, query="checkout_second_bucket")
    assert "nearest: checkout_seconds_bucket" in answer["hint"]


async def test_a_wrong_query(tools: ToolCaller) -> None:
    error = await tools.fails(EXEMPLARS, query="rate(checkout_seconds_bucket[5m)")
    assert error["code"] == "bad_argument"
    assert "parse error" in error["message"]
    assert error["message"].endswith("^")
    error = await tools.fails(EXEMPLARS, query="up", start="now", end="-1h")
    assert "after end" in error["message"]
