"""What a controller serves and logs about itself."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from kmcp_controller.cluster.access import Access
from kmcp_controller.cluster.client import Cluster, resource_of
from kmcp_controller.program.management import exposition, health, serve
from kmcp_controller.telemetry import logs
from kmcp_controller.telemetry.metrics import Metrics
from kmcp_runtime.kube.api import KubeApi
from tests.cluster.certificates import Authority
from tests.controller.conftest import Start
from tests.controller.driving import Driver, token
from tests.controller.test_reconcile import IMAGE, programmed
from tests.ports import free_ports
from tests.slowness import scaled
from tests.waiting import until

RBAC = "/apis/rbac.authorization.k8s.io/v1"


async def scraped(url: str, **options: Any) -> httpx2.Response | None:
    """None while nothing listens there."""
    async with httpx2.AsyncClient(trust_env=False, verify=options.pop("verify", True), timeout=scaled(30)) as http:
        try:
            return await http.get(url, **options)
        except httpx2.ConnectError:
            return None


@pytest.mark.cluster
async def test_metrics_and_log_tell_what_was_done(driver: Driver, start: Start, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    await start("one", "--metrics-address", f"127.0.0.1:{port}")
    await driver.server(IMAGE)
    await driver.server(IMAGE, "with.dots")
    await programmed(driver)
    await driver.condition("Accepted", "False", name="with.dots")

    async def text() -> str:
        answer = await scraped(f"http://127.0.0.1:{port}/metrics")
        return answer.text if answer else ""

    wanted = (
        'kmcp_controller_applies_total{kind="Deployment",result="created"} 1.0',
        'kmcp_controller_api_requests_total{code="200",resource="deployments",verb="PATCH"} 1.0',
        'kmcp_controller_reconciles_total{result="ok"}',
        'kmcp_controller_reconciles_total{result="invalid"}',
        'kmcp_controller_events_total{reason="Programmed",type="Normal"} 1.0',
        "kmcp_controller_queue_items ",
        "kmcp_controller_leader 1.0",
        'kmcp_mcpservers{ready="false",reason="NotAvailable"} 1.0',
    )
    await until(text, lambda seen: all(f"\n{each}" in seen for each in wanted), what="the metrics")
    lines = [json.loads(line) for line in (tmp_path / "one.log").read_text().splitlines()]
    summary_of = {(each.get("object"), each["message"].partition(":")[0]) for each in lines}
    assert (f"{driver.namespace}/time", "Programmed") in summary_of
    assert (f"{driver.namespace}/with.dots", "InvalidConfig") in summary_of


@contextlib.asynccontextmanager
async def secured(api: KubeApi, folder: Path, **options: Any) -> AsyncIterator[str]:
    """The URL of metrics as they are served with a certificate."""
    (port,) = free_ports(1)
    app = exposition(Metrics(), Access(Cluster(api)))
    serving = asyncio.create_task(serve(app, f"127.0.0.1:{port}", str(folder), **options))
    try:
        yield f"https://127.0.0.1:{port}/metrics"
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


def certified(folder: Path) -> ssl.SSLContext:
    authority = Authority(folder)
    authority.issue("tls", "kmcp-metrics", hosts=["127.0.0.1"])
    return ssl.create_default_context(cafile=folder / "ca.crt")


@pytest.mark.cluster
async def test_secured_metrics_are_for_who_may_get_them(api: KubeApi, namespace: str, tmp_path: Path) -> None:
    trusted = certified(tmp_path)
    scraper, other = await token(api, namespace, "scraper"), await token(api, namespace, "other")
    role = f"{namespace}-scraper"
    rules = [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]
    await api.send("POST", f"{RBAC}/clusterroles", (), {"metadata": {"name": role}, "rules": rules})
    binding = {
        "metadata": {"name": role},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": "scraper", "namespace": namespace}],
    }
    await api.send("POST", f"{RBAC}/clusterrolebindings", (), binding)
    try:
        async with secured(api, tmp_path) as url:

            async def answer(word: str) -> httpx2.Response:
                headers = {"Authorization": f"Bearer {word}"} if word else {}
                found = await until(lambda: scraped(url, verify=trusted, headers=headers), bool, what="an answer")
                assert found is not None
                return found

            assert (await answer("")).status_code == (await answer("made-up")).status_code == 401
            refused = await answer(other)
            assert (refused.status_code, "nonResourceURL" in refused.text) == (403, True)
            assert "kmcp_controller_leader" in (await answer(scraper)).text
    finally:
        for kind in ("clusterrolebindings", "clusterroles"):
            await api.send("DELETE", f"{RBAC}/{kind}/{role}")


@pytest.mark.cluster
async def test_an_exchanged_certificate_is_taken(api: KubeApi, tmp_path: Path) -> None:
    certified(tmp_path)
    async with secured(api, tmp_path, look=0.05) as url:
        await until(lambda: scraped(url, verify=False), bool, what="an answer")
        later = certified(tmp_path)
        await until(lambda: scraped(url, verify=later), bool, what="the new certificate")


async def test_ready_while_the_api_server_answers() -> None:
    answering = True
    transport = httpx2.ASGITransport(health(lambda: (answering, "ok" if answering else "away")))
    async with httpx2.AsyncClient(transport=transport, base_url="http://controller") as http:
        assert (await http.get("/readyz")).status_code == 200
        answering = False
        assert (await http.get("/readyz")).status_code == 503
        assert (await http.get("/healthz")).status_code == 200


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        ("/api/v1/namespaces/tools", "namespaces"),
        ("/api/v1/namespaces/tools/pods", "pods"),
        ("/apis/kagent.dev/v1alpha1/namespaces/tools/mcpservers/time/status", "mcpservers/status"),
        ("/apis/kagent.dev/v1alpha1/mcpservers", "mcpservers"),
        ("/openapi/v3/apis/kagent.dev/v1alpha1", "openapi"),
    ],
)
def test_no_name_is_in_a_label(path: str, resource: str) -> None:
    assert resource_of(path) == resource


def test_a_line_of_kopf_names_its_object() -> None:
    import logging

    record = logging.makeLogRecord({"msg": "done", "k8s_ref": {"namespace": "tools", "name": "time"}})
    assert json.loads(logs.JSONLines().format(record))["object"] == "tools/time"


@pytest.mark.cluster
async def test_no_health_is_served_at_an_empty_address(driver: Driver, start: Start, tmp_path: Path) -> None:
    """Two controllers on one machine, both told to serve none."""
    for name in ("one", "two"):
        await start(name, "--catalog-port", "0")
    await driver.server(IMAGE)
    await programmed(driver)
    assert not [path for path in tmp_path.glob("*.log") if "address already in use" in path.read_text()]
