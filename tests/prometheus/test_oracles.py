"""The same questions through other clients of Prometheus and through our tools: the answers agree."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests import separate
from tests.mcp import ToolCaller
from tests.prometheus import known
from tests.prometheus.conftest import connect
from tests.waiting import until

ORACLE = Path(__file__).parent / "oracle"
CLIENTS = ("prometheus-api-client", "httpx")
SPAN = {"start": known.at(10), "end": known.at(40)}
INSTANT = {
    "vector": "shop_requests_total",
    "rates": "sum by (code, instance) (rate(shop_requests_total[5m]))",
    "quantile": "histogram_quantile(0.9, rate(shop_latency_seconds_bucket[5m]))",
    "no number": 'shop_temperature_celsius{room="cellar"} / 0',
    "empty": "shop_queue_used > 1000",
}
RANGES = {
    "gauge": "shop_temperature_celsius",
    "rate": "rate(shop_requests_total[2m])",
    "fractions": 'shop_requests_total{code="500"} / 7',
}
QUESTIONS: dict[str, dict[str, Any]] = {
    **{f"instant {name}": {"kind": "instant", "query": text, "time": known.at(30)} for name, text in INSTANT.items()},
    **{f"range {name}": {"kind": "range", "query": text, "step": 90, **SPAN} for name, text in RANGES.items()},
    "series": {"kind": "series", "match": "shop_requests_total", **SPAN},
    "labels": {"kind": "labels", "match": "shop_queue_used"},
    "values": {"kind": "values", "label": "room"},
    "metadata": {"kind": "metadata", "metric": "carts"},
    "targets": {"kind": "targets"},
}
Answers = Mapping[str, Mapping[str, Any]]


@pytest.fixture(scope="module")
async def answers(prometheus: str) -> Answers:
    """What each of the other clients answers, by question and client, once every target has been scraped."""
    async with connect(prometheus_url=prometheus) as tools:

        async def look() -> dict[str, Any]:
            return await tools.ok("prometheus_metadata_tool", metric="carts")

        await until(look, lambda seen: bool(seen["items"]), what="the exporter scraped")
    python = separate.environment(ORACLE / "requirements.txt")
    question = {"url": prometheus, "questions": list(QUESTIONS.values())}
    return dict(zip(QUESTIONS, separate.ask(python, ORACLE / "ask.py", question), strict=True))


def labelled(items: list[dict[str, Any]]) -> dict[tuple[tuple[str, str], ...], dict[str, Any]]:
    """Series by their labels, which must differ."""
    found = {tuple(sorted(item["metric"].items())): item for item in items}
    assert len(found) == len(items)
    return found


def same_number(ours: Any, theirs: str, note: str | None) -> bool:
    """A JSON number against the text in which Prometheus sends it."""
    return theirs in (note or "") if ours is None else ours == float(theirs)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", INSTANT)
async def test_values_at_one_moment(tools: ToolCaller, answers: Answers, client: str, name: str) -> None:
    theirs = labelled(answers[f"instant {name}"][client])
    ours = labelled((await tools.ok("prometheus_query_tool", query=INSTANT[name], time=known.at(30)))["items"])
    assert ours.keys() == theirs.keys()
    for labels, item in ours.items():
        at, text = theirs[labels]["value"]
        assert item["timestamp"] == at
        assert same_number(item["value"], text, item.get("note"))


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", RANGES)
async def test_values_over_time(tools: ToolCaller, answers: Answers, client: str, name: str) -> None:
    theirs = labelled(answers[f"range {name}"][client])
    answer = await tools.ok("prometheus_query_range_tool", query=RANGES[name], step="90s", **SPAN)
    ours = labelled(answer["items"])
    assert ours.keys() == theirs.keys()
    for labels, item in ours.items():
        expected = theirs[labels]["values"]
        assert [at for at, _ in item["values"]] == [at for at, _ in expected]
        pairs = zip(item["values"], expected, strict=True)
        assert all(same_number(value, text, item.get("note")) for (_, value), (_, text) in pairs)


@pytest.mark.parametrize("client", CLIENTS)
async def test_series_labels_and_their_values(tools: ToolCaller, answers: Answers, client: str) -> None:
    series = await tools.ok("prometheus_series_tool", match=["shop_requests_total"], **SPAN)
    assert sorted(map(sorted, (item.items() for item in series["items"]))) == sorted(
        map(sorted, (item.items() for item in answers["series"][client]))
    )
    names = await tools.ok("prometheus_label_names_tool", match=["shop_queue_used"])
    assert names["items"] == answers["labels"][client]
    values = await tools.ok("prometheus_label_values_tool", label_name="room")
    assert values["items"] == answers["values"][client]


async def test_metadata(tools: ToolCaller, answers: Answers) -> None:
    (ours,) = (await tools.ok("prometheus_metadata_tool", metric="carts"))["items"]
    (theirs,) = answers["metadata"]["prometheus-api-client"]
    assert (ours["metric"], ours["type"], ours["help"]) == (theirs["metric_name"], theirs["type"], theirs["help"])
    (raw,) = answers["metadata"]["httpx"]["carts"]
    assert (ours["type"], ours["help"]) == (raw["type"], raw["help"])


@pytest.mark.parametrize("client", CLIENTS)
async def test_targets(tools: ToolCaller, answers: Answers, client: str) -> None:
    ours = {item["scrape_pool"]: item for item in (await tools.ok("prometheus_targets_tool"))["items"]}
    theirs = {target["scrapePool"]: target for target in answers["targets"][client]}
    assert ours.keys() == theirs.keys()
    for pool, target in theirs.items():
        shown = target["scrapeUrl"].replace("planted-scrape-Tk7w9", "[hidden]")
        assert (ours[pool]["labels"], ours[pool]["scrape_url"]) == (target["labels"], shown)
