"""What servers count of calls: by effect and outcome, approvals, requests to backends; and no label of a caller's."""

import re
from typing import Any

import httpx2
from fastmcp import Client
from fastmcp.client.elicitation import ElicitResult

from kmcp_prometheus.server import SERVER as PROMETHEUS
from kmcp_prometheus.settings import PrometheusSettings
from kmcp_runtime import RuntimeSettings
from kmcp_runtime.engine.assembly import compose
from kmcp_runtime.engine.configured import ConfiguredServer, Process
from tests.mcp import ToolCaller
from tests.runtime.conftest import connected, shelf_of, shelved
from tests.slowness import scaled

PLANTED = "planted-by-a-caller"


def samples(instance: ConfiguredServer, metric: str) -> dict[str, float]:
    """The samples of one metric, by their labels as they are written."""
    text = instance.metrics.exposition().decode()
    return {labels: float(value) for labels, value in re.findall(rf"^{metric}{{(.*)}} (\S+)$", text, re.MULTILINE)}


async def test_calls_are_counted_by_effect_and_outcome() -> None:
    instance = shelved()
    async with connected(instance) as caller:
        await caller.ok("shelf_put", name="moby", text="dick")
        await caller.ok("shelf_tidy", action="count")
        await caller.fails("shelf_read", name=PLANTED)
    assert samples(instance, "kmcp_tool_calls_total") == {
        'effect="write",outcome="ok",server="shelf",tool="shelf_put"': 1,
        'effect="read",outcome="ok",server="shelf",tool="shelf_tidy"': 1,
        'effect="read",outcome="not_found",server="shelf",tool="shelf_read"': 1,
    }
    assert samples(instance, "kmcp_tool_errors_total") == {'code="not_found",server="shelf",tool="shelf_read"': 1}
    assert PLANTED not in instance.metrics.exposition().decode()


async def test_tools_that_are_not_there_are_one_series_whatever_they_are_called() -> None:
    instance = shelved()
    async with connected(instance) as caller:
        for number in range(20):
            await caller.fails(f"{PLANTED}-{number}")
    unknown = 'effect="unknown",outcome="bad_argument",server="unknown",tool="unknown"'
    assert samples(instance, "kmcp_tool_calls_total") == {unknown: 20}
    assert PLANTED not in instance.metrics.exposition().decode()


async def test_approvals_are_counted_from_the_question_to_the_answer() -> None:
    waits = shelved()
    async with connected(waits) as caller:
        shelf_of(waits).books["moby"] = "dick"
        error = await caller.fails("shelf_burn", name="moby")
        await caller.ok("shelf_burn", name="moby", approval=error["approval"])
    assert samples(waits, "kmcp_approvals_total") == {
        'decision="required",server="shelf"': 1,
        'decision="given",server="shelf"': 1,
    }
    answers = iter((True, False))

    async def answer(_: str, __: Any, params: Any, ___: Any) -> ElicitResult[dict[str, bool]]:
        (field,) = params.requested_schema["properties"]
        return ElicitResult(action="accept", content={field: next(answers)})

    asks = shelved()
    async with connected(asks, elicitation_handler=answer) as caller:
        shelf_of(asks).books.update(moby="dick", emma="w")
        await caller.ok("shelf_burn", name="moby")
        await caller.fails("shelf_burn", name="emma")
    counted = samples(asks, "kmcp_approvals_total")
    assert counted['decision="given",server="shelf"'] == 1
    assert counted['decision="refused",server="shelf"'] == 1
    # A question is no error of the tool.
    assert samples(asks, "kmcp_tool_errors_total") == {'code="denied",server="shelf",tool="shelf_burn"': 1}


async def test_requests_to_a_backend_are_counted_by_how_they_ended() -> None:
    settings = PrometheusSettings(prometheus_url="http://127.0.0.1:1")
    process = Process.of(RuntimeSettings(timeout=scaled(30)))
    instance = ConfiguredServer(PROMETHEUS, settings, process)
    async with Client(compose("prometheus", [instance], None)) as client:
        await ToolCaller(client).fails("prometheus_query_tool", query="up")
    failed = 'backend="prometheus",outcome="failed",server="prometheus"'
    assert samples(instance, "kmcp_backend_requests_total")[failed] >= 1
    counted = samples(instance, "kmcp_backend_request_duration_seconds_count")
    assert set(counted) == {'backend="prometheus",server="prometheus"'}
    assert httpx2.URL(settings.prometheus_url).host not in instance.metrics.exposition().decode()
