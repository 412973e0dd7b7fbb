"""Prometheus about itself."""

import time
from datetime import datetime

import pytest

from tests.mcp import ToolCaller
from tests.prometheus import known
from tests.prometheus.conftest import connect

CONFIG = "prometheus_status_config_tool"


async def test_the_configuration_whole_or_in_parts(tools: ToolCaller) -> None:
    whole = (await tools.ok(CONFIG))["yaml"]
    assert "scrape_configs:" in whole
    assert "evaluation_interval: 1s" in whole
    part = (await tools.ok(CONFIG, section="global"))["yaml"]
    assert part.startswith("global:\n  scrape_interval: 1s\n")
    assert "scrape_configs" not in part
    scrapes = await tools.ok(CONFIG, section="scrape_configs")
    assert scrapes["yaml"].count("job_name:") == 3
    assert "max_exemplars: 1000" in (await tools.ok(CONFIG, section="storage"))["yaml"]


async def test_one_job_of_the_configuration(tools: ToolCaller) -> None:
    answer = await tools.ok(CONFIG, job="dead")
    assert answer["section"] == "scrape_configs"
    assert "job_name: dead" in answer["yaml"]
    assert answer["yaml"].count("job_name:") == 1
    error = await tools.fails(CONFIG, job="ded")
    assert (error["code"], error["hint"]) == ("not_found", "jobs: dead, dropped")
    error = await tools.fails(CONFIG, job="dead", section="global")
    assert error["code"] == "bad_argument"


async def test_a_section_that_is_not_configured_says_so(tools: ToolCaller) -> None:
    answer = await tools.ok(CONFIG, section="remote_write")
    assert answer["yaml"] == ""
    assert "remote_write is not configured" in answer["hint"]


async def test_no_secret_of_the_configuration_leaves(tools: ToolCaller) -> None:
    answer = await tools.ok(CONFIG, job="exporter")
    assert "username: scraper" in answer["yaml"]
    assert "planted-scrape-password" not in str(answer)
    assert "planted-scrape-password" not in str(await tools.ok(CONFIG))


async def test_L11_a_parameter_is_hidden_by_whichever_tool_shows_it(scraped: ToolCaller) -> None:
    whole = await scraped.ok(CONFIG)
    for answer in (
        whole,
        await scraped.ok(CONFIG, job="exporter"),
        await scraped.ok(CONFIG, section="scrape_configs"),
        targets := await scraped.ok("prometheus_targets_tool"),
    ):
        assert "planted-scrape-Tk7w9" not in str(answer)
    assert "format:" in str(whole)
    assert "format=prometheus" in str(targets)


async def test_flags_and_features(tools: ToolCaller) -> None:
    answer = await tools.ok("prometheus_status_flags_tool", filter="enable-admin")
    assert answer["items"] == [{"name": "web.enable-admin-api", "value": "true"}]
    everything = await tools.ok("prometheus_status_flags_tool")
    assert {"name": "storage.tsdb.retention.time", "value": "30d"} in everything["items"]
    assert "exemplar_storage" in str(everything["features"])
    nothing = await tools.ok("prometheus_status_flags_tool", filter="xyzzy")
    assert "has 'xyzzy' in its name" in nothing["hint"]


async def test_runtime(tools: ToolCaller) -> None:
    answer = await tools.ok("prometheus_runtime_info_tool")
    started = datetime.fromisoformat(answer["startTime"]).timestamp()
    assert time.time() - 3600 < started <= time.time()
    assert answer["reloadConfigSuccess"] is True
    assert answer["corruptionCount"] == 0
    assert answer["storageRetention"] == "30d"


async def test_the_version_and_what_it_is(tools: ToolCaller) -> None:
    answer = await tools.ok("prometheus_build_info_tool")
    assert (answer["backend"], answer["version"]) == ("prometheus", "3.15.0")
    assert answer["goVersion"].startswith("go1.")


async def test_cardinality_of_the_head(tools: ToolCaller) -> None:
    answer = await tools.ok("prometheus_tsdb_status_tool", limit=2)
    assert answer["head_stats"]["numSeries"] > 10
    assert len(answer["series_by_metric"]) == 2
    assert {"label_values_by_name", "memory_by_label", "series_by_pair"} <= set(answer)
    error = await tools.fails("prometheus_tsdb_status_tool", limit=10_001)
    assert error["code"] == "bad_argument"


async def test_blocks_on_disk(tools: ToolCaller) -> None:
    blocks = (await tools.ok("prometheus_tsdb_status_tool", view="blocks"))["blocks"]
    assert min(block["min_time"] for block in blocks) == known.BEGIN
    assert known.END <= max(block["max_time"] for block in blocks) <= known.END + 1
    assert max(block["stats"]["numSeries"] for block in blocks) >= known.WIDE


async def test_no_blocks_are_explained(plain_prometheus: str) -> None:
    async with connect(prometheus_url=plain_prometheus) as caller:
        answer = await caller.ok("prometheus_tsdb_status_tool", view="blocks")
        assert answer["blocks"] == []
        assert "No block has been written" in answer["hint"]
        assert "not sent anywhere" in (await caller.ok("prometheus_alertmanagers_tool"))["hint"]
        assert "No rules are loaded" in (await caller.ok("prometheus_rules_tool"))["hint"]
        assert "There are no targets" in (await caller.ok("prometheus_targets_tool"))["hint"]
        assert "No alert is pending or firing" in (await caller.ok("prometheus_alerts_tool"))["hint"]
        assert "No active target describes" in (await caller.ok("prometheus_metadata_tool"))["hint"]


async def test_replay_of_the_log(tools: ToolCaller) -> None:
    answer = await tools.ok("prometheus_wal_replay_tool")
    assert (answer["done"], answer["percent"]) == (True, 100)


@pytest.mark.parametrize("tool", ["prometheus_wal_replay_tool", "prometheus_build_info_tool"])
async def test_tools_without_arguments_refuse_any(tools: ToolCaller, tool: str) -> None:
    assert "unknown argument" in (await tools.fails(tool, verbose=True))["message"]
