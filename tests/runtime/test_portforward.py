"""HTTP over port-forward into real pods: what listens on their loopback only, and every way in which it does not."""

import asyncio

import pytest

from kmcp_runtime import ToolFailure
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.portforward import Door, ask
from tests.cluster.model import Cluster
from tests.kubernetes.conftest import pod
from tests.kubernetes.making import make, pod_when, pods_path, running
from tests.waiting import until

pytestmark = pytest.mark.pods
SERVE = """
mkdir -p /tmp/www; cd /tmp/www; echo hello > index.html; dd if=/dev/zero of=large bs=1M count=5
nc -ll -p 8124 -e sh -c 'echo no HTTP; echo; cat > /dev/null' &
nc -ll -p 8125 -e sleep 3600 &
exec httpd -f -p 127.0.0.1:8123 -h /tmp/www
"""


@pytest.fixture
async def door(api: KubeApi, cluster: Cluster, namespace: str) -> Door:
    """A pod whose web server listens on its loopback."""
    await running(api, namespace, pod("web", cluster.image, "sh", "-c", SERVE))
    found = Door(namespace, "web", 8123)

    async def listens() -> bool:
        try:
            return (await ask(api, found, "/large")).status == 200
        except ToolFailure:  # It does not listen yet; the deadline tells when it never does.
            return False

    await until(listens, what="the web server in the pod")
    return found


async def test_answers_of_the_loopback(api: KubeApi, door: Door) -> None:
    found = await ask(api, door, "/index.html?x=1")
    assert (found.status, found.content) == (200, b"hello\n")
    assert (await ask(api, door, "/none")).status == 404
    assert len((await ask(api, door, "/large")).content) == 5 << 20
    several = await asyncio.gather(*(ask(api, door, "/index.html") for _ in range(8)))
    assert {each.content for each in several} == {b"hello\n"}
    posted = await ask(api, door, "/index.html", "POST")
    assert posted.status >= 400  # A file takes no POST; that it was one is what the server says.
    with pytest.raises(ToolFailure) as large:
        await ask(api, door, "/large", largest=1 << 20)
    assert large.value.code == "too_large"


async def test_what_does_not_answer(api: KubeApi, door: Door) -> None:
    with pytest.raises(ToolFailure) as nobody:
        await ask(api, Door(door.namespace, door.pod, 9999), "/")
    assert (nobody.value.code, nobody.value.message) == (
        "unavailable",
        f"nothing listens on port 9999 of pod web (namespace {door.namespace})",
    )
    with pytest.raises(ToolFailure) as other:
        await ask(api, Door(door.namespace, door.pod, 8124), "/")
    assert other.value.code == "unavailable"
    assert "did not answer with HTTP" in other.value.message
    with pytest.raises(ToolFailure) as silent:
        await ask(api, Door(door.namespace, door.pod, 8125), "/", seconds=1)
    assert silent.value.code == "timed_out"


async def test_pods_without_a_network(api: KubeApi, cluster: Cluster, namespace: str) -> None:
    with pytest.raises(ToolFailure) as absent:
        await ask(api, Door(namespace, "none", 80), "/")
    assert absent.value.code == "not_found"
    await make(api, pods_path(namespace), pod("done", cluster.image, "true", restartPolicy="Never"))
    await pod_when(api, namespace, "done", lambda found: found["status"].get("phase") == "Succeeded", "the end")
    with pytest.raises(ToolFailure) as done:
        await ask(api, Door(namespace, "done", 80), "/")
    assert done.value.code in ("unavailable", "conflict", "bad_argument")
    await make(api, pods_path(namespace), pod("later", "none", schedulerName="none"))
    with pytest.raises(ToolFailure) as later:
        await ask(api, Door(namespace, "later", 80), "/")
    assert "does not have a host assigned" in later.value.message
