"""Series, labels and their values."""

import pytest

from kmcp_prometheus.client import path_of_label
from tests.mcp import ToolCaller
from tests.paging import brings_each_once
from tests.prometheus import known

SERIES, LABELS, VALUES = ("prometheus_series_tool", "prometheus_label_names_tool", "prometheus_label_values_tool")
PAST = {"start": known.BEGIN, "end": known.END}


async def test_series_that_match(tools: ToolCaller) -> None:
    answer = await tools.ok(SERIES, match=['shop_requests_total{instance="a"}', "shop_queue_used"], **PAST)
    assert answer["metrics"] == {"shop_requests_total": 2, "shop_queue_used": 1}
    assert {"__name__": "shop_queue_used", "queue": "main"} in answer["items"]
    assert (answer["returned"], answer["truncated"]) == (3, False)


async def test_one_selector_may_stand_alone(tools: ToolCaller) -> None:
    assert (await tools.ok(SERIES, match="shop_queue_used"))["returned"] == 1


async def test_many_series_say_how_to_count_them(tools: ToolCaller) -> None:
    answer = await tools.ok(SERIES, match=["wide"], limit=5)
    assert (answer["returned"], answer["truncated"]) == (5, True)
    assert "count(wide)" in answer["hint"]
    assert not answer.get("warnings")
    assert (await tools.ok(SERIES, match=["shop_requests_total"], limit=3))["truncated"] is False


async def test_no_series_is_explained(tools: ToolCaller) -> None:
    answer = await tools.ok(SERIES, match=["shop_queue_usd"])
    assert answer["items"] == []
    assert "nearest: shop_queue_used" in answer["hint"]
    answer = await tools.ok(SERIES, match=["shop_queue_used"], start=known.BEGIN - 7200, end=known.BEGIN - 3600)
    assert "in that time" in answer["hint"]


@pytest.mark.parametrize("tool", [SERIES, LABELS, VALUES])
@pytest.mark.parametrize(
    ("match", "message"),
    [
        (["{}"], "non-empty matcher"),
        (['{__name__=~".*"}'], "non-empty matcher"),
        (['{job=~".+"}'], "would read every series"),
        (["up", '{instance!=""}'], "would read every series"),
        (["rate(up[5m])"], "is not a selector"),
        (["up[5m]"], "is not a selector"),
        ([""], "is not a selector"),
        ([], "match: empty"),
        (["up{"], "parse error"),
    ],
)
async def test_a_selector_that_is_none_or_takes_everything(
    tools: ToolCaller, tool: str, match: list[str], message: str
) -> None:
    more = {"label_name": "job"} if tool == VALUES else {}
    error = await tools.fails(tool, match=match, **more)
    assert error["code"] == "bad_argument"
    assert message in error["message"]


async def test_names_of_labels(tools: ToolCaller, scraped: ToolCaller) -> None:
    answer = await tools.ok(LABELS, match=["shop_requests_total"])
    assert answer["items"] == ["__name__", "code", "instance", "job"]
    answer = await scraped.ok(LABELS)
    assert {"service.name", "room", "shard"} <= set(answer["items"])
    answer = await tools.ok(LABELS, limit=2)
    assert (answer["returned"], answer["truncated"]) == (2, True)
    assert not answer.get("warnings")
    answer = await tools.ok(LABELS, match=["shop_requests_totl"])
    assert "nearest: shop_requests_total" in answer["hint"]


async def test_values_of_a_label(tools: ToolCaller) -> None:
    answer = await tools.ok(VALUES, label_name="code", match=["shop_requests_total"], **PAST)
    assert answer["items"] == ["200", "500"]
    assert (answer["total"], answer["truncated"]) == (2, False)
    answer = await tools.ok(VALUES, label_name="code", start=known.BEGIN - 7200, end=known.BEGIN - 3600)
    assert answer["items"] == []


async def test_metrics_by_a_regular_expression(tools: ToolCaller) -> None:
    answer = await tools.ok(VALUES, label_name="__name__", filter="^shop_(queue|temp)")
    assert answer["items"] == ["shop_queue_limit", "shop_queue_used", "shop_temperature_celsius"]
    answer = await tools.ok(VALUES, label_name="__name__", filter="^nothing$")
    assert "matches filter" in answer["hint"]
    error = await tools.fails(VALUES, label_name="__name__", filter="(")
    assert error["code"] == "bad_argument"
    assert "filter: not a valid regular expression" in error["message"]


async def test_values_in_pages(tools: ToolCaller) -> None:
    arguments = {"label_name": "n", "match": ["wide"], "filter": "^1999"}
    found: list[str] = []
    cursor = None
    for _ in range(10):
        page = await tools.ok(VALUES, **arguments, limit=4, cursor=cursor)
        assert page["total"] == 11
        found += page["items"]
        cursor = page.get("cursor")
        assert page["truncated"] is (cursor is not None)
        if cursor is None:
            break
    assert found == sorted(["1999", *(f"1999{digit}" for digit in range(10))])
    page = await tools.ok(VALUES, **arguments, limit=4)
    error = await tools.fails(VALUES, label_name="n", filter="^1", cursor=page["cursor"])
    assert error["message"].startswith("cursor: ")


async def test_values_are_brought_once_whatever_the_limit(tools: ToolCaller) -> None:
    await brings_each_once(tools, VALUES, 7, label_name="n", match=["wide"], filter="^1999")


async def test_a_cursor_of_values_is_for_one_time(tools: ToolCaller) -> None:
    about = {"label_name": "n", "match": ["wide"], "filter": "^1999", "limit": 4, "start": "now-100000d"}
    first = await tools.ok(VALUES, **about)
    assert (await tools.ok(VALUES, **about, cursor=first["cursor"]))["items"][:1] > first["items"][-1:]
    error = await tools.fails(VALUES, **{**about, "start": "now-1d"}, cursor=first["cursor"])
    assert (error["code"], "different arguments" in error["message"]) == ("bad_argument", True)


async def test_the_budget_cuts_where_the_cursor_goes_on(tools: ToolCaller) -> None:
    first = await tools.ok(VALUES, label_name="n", match=["wide"], limit=500)
    assert first["truncated"] is True
    second = await tools.ok(VALUES, label_name="n", match=["wide"], limit=500, cursor=first["cursor"])
    everything = sorted(str(n) for n in range(known.WIDE))
    assert first["items"] + second["items"] == everything[: first["returned"] + second["returned"]]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("job", "job"),
        ("__name__", "__name__"),
        ("service.name", "U__service_2e_name"),
        ("a/b_c", "U__a_2f_b__c"),
        ("ünit", "U___fc_nit"),
        ("U__x", "U__U____x"),
        ("a:b", "U__a_3a_b"),
        ("😀", "U___1f600_"),
        ("0", "U__0"),
    ],
)
def test_any_name_has_a_path(name: str, path: str) -> None:
    assert path_of_label(name) == path


async def test_a_label_of_any_name(tools: ToolCaller, scraped: ToolCaller) -> None:
    assert (await scraped.ok(VALUES, label_name="service.name"))["items"] == ["a/b c"]
    for name in ("no/such label", "ünit", "U__", "😀"):
        answer = await tools.ok(VALUES, label_name=name)
        assert answer["items"] == []
        assert f"has a label {name}" in answer["hint"]
    error = await tools.fails(VALUES, label_name="")
    assert "must not be empty" in error["message"]
