"""Namespaces of `rbac.namespaces` that are not there, or whose rights are not: the others go on, and health says so."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.settings import ClusterSettings
from tests.controller.conftest import Start
from tests.controller.driving import Driver
from tests.controller.test_management import scraped
from tests.controller.test_reconcile import IMAGE, programmed
from tests.ports import free_ports
from tests.rights import write_kubeconfig
from tests.waiting import until

pytestmark = pytest.mark.cluster
BINDING = "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings"


async def allow(api: KubeApi, namespace: str, home: str) -> None:
    """All rights in that namespace for the default account of `home`, as by the chart's Role of it."""
    body = {
        "metadata": {"name": "controller"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": home}],
    }
    await api.send("POST", BINDING.format(namespace), (), body)


@pytest.fixture
async def other(api: KubeApi) -> AsyncIterator[str]:
    name = f"kmcp-test-{secrets.token_hex(4)}"
    await api.send("POST", "/api/v1/namespaces", (), {"metadata": {"name": name}})
    yield name
    await api.send("DELETE", f"/api/v1/namespaces/{name}")


async def health(port: int, path: str, words: str) -> int:
    """The status, once it says that."""

    async def look() -> tuple[int, str]:
        answer = await scraped(f"http://127.0.0.1:{port}{path}")
        return (answer.status_code, answer.text) if answer else (0, "")

    return (await until(look, lambda seen: words in seen[1], what=words))[0]


async def test_namespaces_that_are_gone_stop_no_other(
    driver: Driver, api: KubeApi, start: Start, other: str, tmp_path: Path
) -> None:
    """D11: from the start, while it runs, and when there is none left at all."""
    gone = f"{other}-gone"
    for namespace in (driver.namespace, other):
        await allow(api, namespace, driver.namespace)
    admin = ClusterSettings(kubeconfig=str(driver.given.kubeconfig))
    config = str(await write_kubeconfig(api, admin, driver.namespace, "default", tmp_path))
    one, two = free_ports(2)
    where = f"{driver.namespace},{other},{gone}"
    flags = ["--kubeconfig", config, "--watch-namespaces", where, "--health-address", f"127.0.0.1:{one}"]
    process = await start("one", *flags)
    assert await health(one, "/readyz", f"cannot be read: {gone}; create them and their Roles") == 200
    await driver.server(IMAGE)
    await programmed(driver)
    await api.send("DELETE", f"{BINDING.format(other)}/controller")
    await driver.server(IMAGE, "second")
    await programmed(driver, "second")
    assert (process.returncode, await health(one, "/healthz", "ok")) == (None, 200)
    flags = ["--kubeconfig", config, "--watch-namespaces", gone, "--health-address", f"127.0.0.1:{two}"]
    process = await start("two", *flags)
    assert await health(two, "/readyz", f"cannot be read: {gone}") == 503
    assert (process.returncode, await health(two, "/healthz", "ok")) == (None, 200)
