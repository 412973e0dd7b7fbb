"""One data source, several, or none; and whether the server is ready."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from kmcp_prometheus.server import SERVER
from kmcp_prometheus.settings import PrometheusSettings
from kmcp_runtime.engine import health
from kmcp_runtime.engine.configured import ConfiguredServer, Process
from tests.misbehaving import nobody
from tests.patience import patient
from tests.prometheus import known
from tests.prometheus.conftest import connect

VALUES = "prometheus_label_values_tool"
LIST, QUERY, BUILD = "prometheus_list_datasources_tool", "prometheus_query_tool", "prometheus_build_info_tool"


def file(directory: Path, *entries: dict[str, Any]) -> str:
    path = directory / "datasources.yaml"
    path.write_text(yaml.safe_dump(list(entries)))
    return str(path)


async def readiness(**settings: Any) -> dict[str, Any]:
    instance = ConfiguredServer(SERVER, PrometheusSettings(**settings), Process.of(patient()))
    async with instance.opened():
        return await health.readiness(instance)


async def test_without_an_address_the_server_starts_and_says_what_to_set() -> None:
    state = await readiness()
    assert state == {
        "ready": False,
        "reason": "no Prometheus is configured",
        "hint": "set PROMETHEUS_URL to its address (http://prometheus:9090), or PROMETHEUS_DATASOURCES_FILE",
    }
    async with connect() as caller:
        assert len(await caller.client.list_tools()) == 22
        error = await caller.fails(QUERY, query="up")
        assert error["code"] == "unavailable"
        assert "PROMETHEUS_URL" in error["hint"]


async def test_ready_when_the_backend_answers(prometheus: str) -> None:
    assert (await readiness(prometheus_url=prometheus))["ready"] is True
    state = await readiness(prometheus_url=nobody())
    assert state["ready"] is False
    assert "connection refused" in state["reason"]


async def test_one_data_source_needs_no_name(prometheus: str) -> None:
    async with connect(prometheus_url=prometheus) as caller:
        tools = {tool.name: tool for tool in await caller.client.list_tools()}
        assert all("datasource" not in tool.input_schema["properties"] for tool in tools.values())
        assert LIST not in tools
        error = await caller.fails(LIST)
        assert error["code"] == "unavailable"
        assert "several data sources are configured" in error["message"]
        error = await caller.fails(QUERY, query="up", datasource="eu")
        assert "unknown argument 'datasource'" in error["message"]


async def test_several_are_chosen_by_name(prometheus: str, plain_prometheus: str, tmp_path: Path) -> None:
    path = file(tmp_path, {"name": "full", "url": prometheus}, {"name": "plain", "url": f"{plain_prometheus}/api/v1"})
    async with connect(prometheus_datasources_file=path) as caller:
        (tool,) = [tool for tool in await caller.client.list_tools() if tool.name == QUERY]
        choice = tool.input_schema["properties"]["datasource"]
        assert (choice["enum"], choice["description"]) == (["full", "plain"], "Which Prometheus; default full")
        counts = {}
        for name in ("full", "plain", None):
            answer = await caller.ok(QUERY, query="shop_queue_used", time=known.END, datasource=name)
            counts[name] = answer["returned"]
        assert counts == {"full": 1, "plain": 0, None: 1}
        about = {"label_name": "__name__", "filter": "^shop_queue", "limit": 1}
        begun = await caller.ok(VALUES, **about, datasource="full")
        elsewhere = await caller.fails(VALUES, **about, datasource="plain", cursor=begun["cursor"])
        assert "different arguments" in elsewhere["message"]
        by_url = await caller.ok(QUERY, query="shop_queue_used", time=known.END, prometheus_url=plain_prometheus)
        assert by_url["returned"] == 0
        error = await caller.fails(QUERY, query="up", datasource="plane")
        assert "did you mean plain?" in error["message"]


async def test_every_data_source_is_listed_with_its_state(prometheus: str, tmp_path: Path) -> None:
    dead = nobody()
    path = file(
        tmp_path,
        {"name": "full", "url": prometheus.replace("://", "://user:planted-pass@")},
        {"name": "dead", "url": dead, "token": "planted-token"},
        {"name": "wrong", "url": "prometheus:9090"},
    )
    async with connect(prometheus_datasources_file=path) as caller:
        answer = await caller.ok(LIST)
    full, gone, wrong = answer["items"]
    assert full == {"name": "full", "url": prometheus, "ready": True, "backend": "prometheus", "version": "3.15.0"}
    assert (gone["ready"], wrong["ready"]) == (False, False)
    assert f"cannot reach {dead}" in gone["error"]
    assert "url of data source wrong" in wrong["error"]
    assert "planted" not in str(answer)


async def test_the_address_and_the_file_together(prometheus: str, plain_prometheus: str, tmp_path: Path) -> None:
    path = file(tmp_path, {"name": "other", "url": plain_prometheus})
    async with connect(prometheus_url=prometheus, prometheus_datasources_file=path) as caller:
        assert [item["name"] for item in (await caller.ok(LIST))["items"]] == ["default", "other"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "No such file"),
        ("- name: [", "not valid YAML"),
        ("url: http://x", "must be a list"),
        ("- {name: a}", "[0].url: required"),
        ("- {name: a, url: 'http://x', tokn: y}", "unknown field '[0].tokn': did you mean token?"),
        ("- {name: 'a b', url: 'http://x'}", "[0].name: must match"),
        ("[{name: a, url: 'http://x'}, {name: a, url: 'http://y'}]", "two data sources are named 'a'"),
        ("[]", "no Prometheus is configured"),
    ],
)
async def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, content: str | None, why: str) -> None:
    path = tmp_path / "datasources.yaml"
    if content is not None:
        path.write_text(content)
    state = await readiness(prometheus_datasources_file=str(path))
    assert state["ready"] is False
    assert why in state["reason"]
    assert "PROMETHEUS_DATASOURCES_FILE" in f"{state['reason']} {state['hint']}"


async def test_credentials_of_a_file_are_of_their_own_source(prometheus: str, tmp_path: Path) -> None:
    entry = {"name": "a", "url": prometheus, "token_file": str(tmp_path / "absent")}
    state = await readiness(prometheus_datasources_file=file(tmp_path, entry))
    assert "the token file" in state["reason"]
    assert "token, or username and password, of data source a" in state["hint"]
