"""Small rules of status and drift: what is added to a selector, what many servers share, why a pod is not ready."""

import asyncio
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from kmcp_controller.discovery.collisions import Collisions
from kmcp_controller.reconcile.difference import drift
from kmcp_controller.reconcile.probing import explain
from kmcp_controller.reconcile.rollout import cause, unready_pod
from kmcp_controller.status import Observed, conditions
from kmcp_runtime.catalog import Fault
from tests.controller.manifests import manifest
from tests.controller.test_render import FOREIGN, rendered
from tests.misbehaving import nobody
from tests.serving import served


def with_selector(kind: str, **added: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    network: dict[str, Any] = {"ingressFrom": [{"podSelector": {}}]}
    want = rendered(manifest(FOREIGN, network=network))[kind]
    live: dict[str, Any] = {**want, "spec": {**want["spec"], **added}}
    return want, live


def test_an_addition_that_changes_what_the_object_does_is_drift() -> None:
    """D12: an extra label in the selector selects nothing; an extra label of the object is nobody's harm."""
    want, live = with_selector("Service")
    assert not list(drift(want, live))
    _, live = with_selector("Service", selector={**want["spec"]["selector"], "by": "hand"}, clusterIP="10.0.0.1")
    assert list(drift(want, live)) == ["spec.selector.by (added)"]
    want, live = with_selector("NetworkPolicy")
    _, wider = with_selector("NetworkPolicy", ingress=[*want["spec"]["ingress"], {}])
    assert (list(drift(want, live)), bool(list(drift(want, wider)))) == ([], True)
    labelled = {**live, "metadata": {**want["metadata"], "labels": {**want["metadata"]["labels"], "team": "x"}}}
    assert not list(drift(want, labelled))


def test_n_servers_with_one_tool_name_are_n_warnings() -> None:
    """D5: one for each, whoever else there is."""
    found, keys = Collisions(), [("team", f"s{number:03}") for number in range(60)]
    for number, key in enumerate(keys):
        found.learn(key, f"2026-01-01T00:00:{number:02}Z", ["search", *(f"t{n}" for n in range(9))])
    texts = [found.of(key) for key in keys]
    assert [len(each) for each in texts] == [0, *[1] * 59]
    assert "MCPServer s000, s001, s002 and 56 more have tools" in texts[-1][0]
    assert max(len(each[0]) for each in texts[1:]) < 256


def test_the_first_reason_is_the_one_that_is_shown() -> None:
    """D5: `kubectl get` shows the reason of Ready alone."""
    by_type = {
        each.type: each
        for each in conditions(Observed(faults=(Fault(("a",), "is wrong"),), fault_reason="InvalidConfig"))
    }
    assert (by_type["Ready"].reason, by_type["Ready"].message) == ("InvalidConfig", "not accepted: a: is wrong")


def test_what_is_ending_says_so() -> None:
    """D15: nothing is claimed of objects that are left to end."""
    by_type = {each.type: each for each in conditions(Observed(deleting=True))}
    assert (by_type["Programmed"].status, by_type["Programmed"].reason) == ("Unknown", "Deleting")


def pod(state: dict[str, Any], last: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    container = {"name": "mcp-server", "ready": False, "restartCount": 3, "state": state, "lastState": last or {}}
    return {
        "metadata": {"name": "p", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"containers": [{"name": "mcp-server", "image": "x"}]},
        "status": {"podIP": "127.0.0.1", "containerStatuses": [container], **status},
    }


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        ({"exitCode": 3, "reason": "Error", "message": "x" * 5000 + "\nfatal: cannot open database\n"}, "cannot open"),
        ({"exitCode": 137, "reason": "OOMKilled"}, "CrashLoopBackOff, OOMKilled, exit code 137, 3 restarts"),
        ({"exitCode": 1, "reason": "Error", "message": "password=hunter2-secret\n"}, "password=[hidden]"),
    ],
)
def test_a_crashed_container_has_its_last_words(ended: dict[str, Any], words: str) -> None:
    """D4: the end of what it wrote, and what ended it."""
    waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting"}}
    text = cause({"status": {}}, [pod(waiting, {"terminated": ended})])
    assert words in text
    assert len(text) <= 256


async def test_a_running_pod_is_explained() -> None:
    """D4: a wrong targetPort is a refused connection; the bridge says why its process does not come up."""
    running = pod({"running": {}})
    assert unready_pod([running]) is running
    assert unready_pod([pod({"waiting": {"reason": "ContainerCreating"}})]) is None
    closed = int(nobody().rpartition(":")[2])
    container = {"name": "mcp-server", "ports": [{"name": "http", "containerPort": closed}]}
    text = await explain(running, container)
    assert f"connection refused on port {closed}; set spec.httpTransport.targetPort" in text

    async def healthz(request: Request) -> PlainTextResponse:
        return PlainTextResponse("exit code 3: fatal: no database, password=hunter2-secret\n", 503)

    async with served(Starlette(routes=[Route("/healthz", healthz)]), lifespan="off") as url:
        management = {"name": "management", "containerPort": int(url.rpartition(":")[2])}
        text = await explain(running, {**container, "ports": [*container["ports"], management]})
    assert "exit code 3: fatal: no database, password=[hidden]" in text


async def test_an_open_port_explains_nothing() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        container = {"name": "mcp-server", "ports": [{"name": "http", "containerPort": port}]}
        assert await explain(pod({"running": {}}), container) == ""
