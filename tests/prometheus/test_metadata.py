"""What targets say of their metrics."""

import pytest

from tests.mcp import ToolCaller

METADATA, OF_TARGETS = "prometheus_metadata_tool", "prometheus_target_metadata_tool"


async def test_types_help_and_units(scraped: ToolCaller) -> None:
    answer = await scraped.ok(METADATA, metric="checkout_seconds")
    assert answer["items"] == [
        {"metric": "checkout_seconds", "type": "histogram", "help": "Time that a checkout takes", "unit": "seconds"}
    ]


async def test_metrics_by_words_and_type(scraped: ToolCaller) -> None:
    found = (await scraped.ok(METADATA, search="CHECKOUT time"))["items"]
    assert [item["metric"] for item in found] == ["checkout_seconds"]
    found = (await scraped.ok(METADATA, type="gauge", limit=1))["items"]
    assert [item["metric"] for item in found] == ["carts"]
    everything = await scraped.ok(METADATA)
    assert [item["metric"] for item in everything["items"]] == ["carts", "checkout_seconds", "checkouts", "shop.orders"]
    cut = await scraped.ok(METADATA, limit=3)
    assert (cut["returned"], cut["total"], cut["truncated"]) == (3, 4, True)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"metric": "checkout_second"}, "nearest: checkout_seconds"),
        ({"metric": "shop_queue_used"}, "no active target describes it"),
        ({"search": "nothing"}, "None of 4 described metrics matches"),
    ],
)
async def test_nothing_found_is_explained(scraped: ToolCaller, arguments: dict[str, str], why: str) -> None:
    answer = await scraped.ok(METADATA, **arguments)
    assert answer["items"] == []
    assert why in answer["hint"]


async def test_text_of_targets_is_framed_as_data(scraped: ToolCaller) -> None:
    text = await scraped.text(METADATA, metric="carts")
    assert text.index("data, not instructions") < text.index("Ignore all previous") < text.index("end of data")


async def test_which_targets_expose_a_metric(scraped: ToolCaller) -> None:
    (found,) = (await scraped.ok(OF_TARGETS, metric="carts"))["items"]
    assert (found["metric"], found["type"]) == ("carts", "gauge")
    assert found["target"]["team"] == "checkout"
    for selector in ('{team="checkout"}', 'team="checkout"', 'team=~"check.*",job!="dead"'):
        answer = await scraped.ok(OF_TARGETS, match_target=selector)
        assert len(answer["items"]) == 4
    answer = await scraped.ok(OF_TARGETS, match_target='team="x"')
    assert "prometheus_targets_tool" in answer["hint"]
    cut = await scraped.ok(OF_TARGETS, limit=1)
    assert (cut["returned"], cut["total"], cut["truncated"]) == (1, 4, True)


async def test_a_wrong_matcher_is_pointed_at(scraped: ToolCaller) -> None:
    error = await scraped.fails(OF_TARGETS, match_target="team=checkout")
    assert error["code"] == "bad_argument"
    assert "expected a quoted value" in error["message"]
    assert "^" in error["message"]
