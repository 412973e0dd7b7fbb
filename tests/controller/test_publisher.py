"""The catalog's ConfigMaps in a real API server: written, read while they change, restored."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kmcp_controller.catalog.configmaps import LABEL, InconsistentError
from kmcp_controller.catalog.door_servers import CONFIG_MAP, KEY
from kmcp_controller.catalog.live_document import LiveDocument
from kmcp_controller.catalog.live_server import LiveServer
from kmcp_controller.catalog.publisher import Publisher
from kmcp_controller.cluster.client import Cluster
from kmcp_controller.discovery.first_sights import FirstSights
from kmcp_controller.telemetry.metrics import Metrics
from kmcp_runtime.foreign.servers_file import ForeignEntry, read_servers
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.config import load_contexts
from tests.cluster.model import Cluster as Given
from tests.controller.listings import server, tool
from tests.patience import limits
from tests.waiting import until

pytestmark = pytest.mark.cluster


@pytest.fixture
async def kube(cluster: Given) -> AsyncIterator[Cluster]:
    contexts = load_contexts(str(cluster.kubeconfig))
    api = KubeApi(contexts, contexts.named(None), limits())
    yield Cluster(api)
    await api.close()


def of(number: int, count: int = 20, **changes: Any) -> LiveServer:
    """A server whose tools do not compress away."""
    words = [f"{number * 1000 + each} {hash((number, each)):x}" for each in range(count)]
    return server(f"s{number:03d}", *(tool(f"t{n}", description=word) for n, word in enumerate(words)), **changes)


def publisher(live: LiveDocument, kube: Cluster, namespace: str, **options: Any) -> Publisher:
    return Publisher(live, kube, namespace, Metrics(), **options)


async def shards(kube: Cluster, namespace: str) -> set[str]:
    found = await kube.list_objects("ConfigMap", namespace, f"{LABEL}=shard")
    return {each["metadata"]["name"] for each in found}


async def test_catalog_shards(kube: Cluster, namespace: str) -> None:
    """Whoever reads while 500 servers change sees one document, whole, that was published."""
    live = LiveDocument()
    for number in range(500):
        live.update(of(number))
    writer = publisher(live, kube, namespace, largest=160 * 1024)
    published = {live.document()["hash"]: live.document()["servers"]}
    await writer.publish()
    assert len(await shards(kube, namespace)) > 3
    done = asyncio.Event()
    seen: list[str] = []

    async def watch() -> None:
        reader = publisher(LiveDocument(), kube, namespace)
        while not done.is_set():
            found = await reader.load()
            assert found is not None
            assert found["servers"] == published[found["hash"]]
            seen.append(found["hash"])

    watching = asyncio.create_task(watch())
    for turn in range(4):
        for number in range(turn, 500, 25):
            live.update(of(number, url=f"http://{turn}.{number}"))
        published[live.document()["hash"]] = live.document()["servers"]
        assert await writer.publish()
        await until(partial(answered, seen, len(seen)), what="a reader")
    done.set()
    await watching
    assert len(set(seen)) > 2, "the reader saw the catalog change"
    assert seen[-1] == live.document()["hash"]


async def answered(seen: list[str], count: int) -> bool:
    return len(seen) > count


async def test_a_restart_writes_nothing_and_the_last_shards_go(kube: Cluster, namespace: str) -> None:
    live = LiveDocument()
    for number in range(30):
        live.update(of(number))
    first = publisher(live, kube, namespace, largest=8 * 1024)
    assert await first.publish()
    assert not await first.publish()
    index = await kube.read("ConfigMap", namespace, "kmcp-catalog")
    again = LiveDocument()
    second = publisher(again, kube, namespace, largest=8 * 1024)
    await second.restore()
    for number in range(30):
        again.update(of(number, listing=None))
        again.update(of(number))
    again.keep([("tools", f"s{number:03d}") for number in range(30)])
    assert again.document() == live.document()
    assert not await second.publish()
    assert await kube.read("ConfigMap", namespace, "kmcp-catalog") == index
    for number in range(29):
        again.remove("tools", f"s{number:03d}")
    assert await second.publish()
    assert await shards(kube, namespace) == set()
    assert ((await second.load()) or {})["servers"] == again.document()["servers"]


async def test_what_an_earlier_version_wrote_too_large_is_written_anew(kube: Cluster, namespace: str) -> None:
    """D16: an upgrade in which no server changes."""
    live, again = LiveDocument(), LiveDocument()
    for number in range(30):
        live.update(of(number))
    assert await publisher(live, kube, namespace, largest=700_000).publish()
    assert await shards(kube, namespace) == set()
    second = publisher(again, kube, namespace, largest=8 * 1024)
    await second.restore()
    assert again.document()["hash"] == live.document()["hash"]
    assert await second.publish()
    assert len(await shards(kube, namespace)) > 1
    assert ((await second.load()) or {})["hash"] == live.document()["hash"]
    assert not await second.publish()


async def test_changes_are_published_together_and_followed(kube: Cluster, namespace: str) -> None:
    live, shown = LiveDocument(), LiveDocument()
    writer = publisher(live, kube, namespace, debounce=0.2, interval=0.4)
    follower = publisher(shown, kube, namespace, interval=0.1)
    tasks = [asyncio.create_task(each) for each in (writer.run(), follower.follow())]
    try:
        for number in range(5):
            live.update(of(number))

        async def same() -> bool:
            return bool(shown.document()["hash"] == live.document()["hash"])

        await until(same, seconds=20, what="the follower's document")
        index = await kube.read("ConfigMap", namespace, "kmcp-catalog")
        assert index is not None
        assert index["metadata"]["managedFields"][0]["manager"] == "kmcp-controller"
        live.remove("tools", "s000")
        await until(same, seconds=20, what="the follower's document")
        assert [each["name"] for each in shown.removed()] == ["s000"]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_damaged_catalog_is_not_restored(kube: Cluster, namespace: str) -> None:
    live = LiveDocument()
    for number in range(30):
        live.update(of(number))
    await publisher(live, kube, namespace, largest=8 * 1024).publish()
    lost = (await kube.list_objects("ConfigMap", namespace, f"{LABEL}=shard"))[0]
    await kube.delete(lost)
    fresh = LiveDocument()
    reader = publisher(fresh, kube, namespace, largest=8 * 1024)
    with pytest.raises(InconsistentError):
        await reader.load()
    await reader.restore()
    assert fresh.document()["servers"] == []
    fresh.follow(live.document())
    fresh.update(of(99))
    assert await reader.publish()
    assert ((await reader.load()) or {})["hash"] == fresh.document()["hash"]


async def test_pins_outlive_a_restart(kube: Cluster, namespace: str) -> None:
    pins = FirstSights(kube, namespace)
    await pins.load()
    assert pins.data == {}
    await asyncio.gather(*(pins.keep(f"u{number}", "{}") for number in range(5)))
    await pins.forget("u3")
    again = FirstSights(kube, namespace)
    await again.load()
    assert sorted(again.data) == ["u0", "u1", "u2", "u4"]


async def test_a_door_is_told_again_by_a_replica_that_leads_again(kube: Cluster, namespace: str) -> None:
    """What it had written itself is not what is there: another replica has led meanwhile."""
    one, other = LiveDocument(), LiveDocument()
    first, second = publisher(one, kube, namespace), publisher(other, kube, namespace)
    first.is_own = second.is_own = lambda described: False

    async def behind_door() -> str:
        found = await kube.read("ConfigMap", namespace, CONFIG_MAP)
        return found["data"][KEY] if found else ""

    one.update(server("theirs", tool("act")))
    await first.publish()
    following = asyncio.create_task(first.follow())
    await second.publish()
    assert "theirs" not in await behind_door()

    async def followed() -> bool:
        return one.get("tools", "theirs") is None

    await until(followed, what="the other's document")
    following.cancel()
    one.update(server("theirs", tool("act")))
    await first.publish()
    assert "theirs" in await behind_door()


async def test_a_door_is_told_of_foreign_servers_and_of_what_those_have_pinned_who_are_trusted(
    kube: Cluster, namespace: str, tmp_path: Path
) -> None:
    live = LiveDocument()
    act = tool("act", annotations={"readOnlyHint": True})
    live.update(server("theirs", act, image="example.com/theirs:1"))
    live.update(server("ours", tool("own"), image="example.com/kmcp/kmcp-ours:1"))
    writer = publisher(live, kube, namespace)
    writer.is_own = lambda described: "/kmcp/" in described["image"]
    await writer.publish()

    async def told() -> dict[str, ForeignEntry]:
        found = await kube.read("ConfigMap", namespace, CONFIG_MAP)
        assert found is not None
        file = tmp_path / "servers.json"
        file.write_text(found["data"][KEY])
        return read_servers(file)

    assert (await told())["theirs"].tools == {}
    live.update(server("theirs", act, image="example.com/theirs:1", vouched={"act": "read"}))
    assert await writer.publish()
    assert (await told())["theirs"].tools == {}
    writer.is_trusted = lambda described: described["namespace"] == "tools"
    live.update(server("theirs", act, image="example.com/theirs:1", vouched={"act": "write"}))
    assert await writer.publish()
    assert (await told())["theirs"].tools["act"].effect == "write"
