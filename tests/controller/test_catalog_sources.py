"""Catalogs of others: from files and pinned addresses, and every way in which an address can be wrong."""

import asyncio
import base64
import gzip
import hashlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from kmcp_controller.catalog.configmaps import LABEL
from kmcp_controller.catalog.current import CurrentCatalog
from kmcp_controller.cluster.client import Cluster
from kmcp_controller.program.catalog_sources import CatalogSources, KeptCatalogs, SourceError, sources_of
from kmcp_runtime import pinned_catalog
from kmcp_runtime.catalog import dump
from kmcp_runtime.errors import ToolFailure
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.pinned_catalog import PinError, fetch, parse
from kmcp_runtime.web import Timeouts
from tests.controller.conftest import Start
from tests.controller.driving import Driver
from tests.controller.test_discovery import serving
from tests.controller.test_management import scraped
from tests.ports import free_ports
from tests.runtime.test_catalog import catalog, server, tool
from tests.slowness import scaled
from tests.waiting import until

OURS = dump(catalog(prometheus=server(tool())))
THEIRS = dump(catalog(vault=server(tool("vault_count"))))
NEWER = dump(catalog(vault=server(tool("vault_count"), tool("vault_open", description="Open the vault."))))
Answer = Callable[[Request], Response]


@asynccontextmanager
async def answering(answer: Answer) -> AsyncIterator[str]:
    async def handle(request: Request) -> Response:
        return answer(request)

    async with serving(Starlette(routes=[Route("/{path:path}", handle)])) as base:
        yield f"{base}/catalog.yaml"


def pin(url: str, text: str | bytes) -> str:
    content = text if isinstance(text, bytes) else text.encode()
    return f"{url}#sha256={hashlib.sha256(content).hexdigest()}"


async def test_what_the_pin_names_is_read_also_behind_a_redirect_on_the_host() -> None:
    def answer(request: Request) -> Response:
        return RedirectResponse("/elsewhere") if request.url.path == "/catalog.yaml" else PlainTextResponse(THEIRS)

    async with answering(answer) as url:
        assert await fetch(parse(pin(url, THEIRS))) == THEIRS


async def _large() -> AsyncIterator[bytes]:
    for _ in range(256):
        yield b"#" * 65536


async def _slow() -> AsyncIterator[bytes]:
    """Until its client goes: however long the deadline is here, the answer is longer."""
    while True:
        yield b"#"
        await asyncio.sleep(0.05)


BOMB = gzip.compress(b"#" * (64 * 2**20))
ATTACKS: dict[str, tuple[Answer, str]] = {
    "another content": (lambda _: PlainTextResponse(NEWER), "its pin is"),
    "a body of 16 MiB": (lambda _: StreamingResponse(_large()), "is larger than 4 MiB"),
    "a body that unfolds": (lambda _: Response(BOMB, headers={"Content-Encoding": "gzip"}), "its pin is"),
    "no end in sight": (lambda _: StreamingResponse(_slow()), "did not answer within"),
    "another host": (lambda _: RedirectResponse("http://169.254.169.254/latest"), "which is not followed"),
    "another scheme": (lambda _: RedirectResponse("file:///etc/passwd"), "which is not followed"),
    "a circle": (lambda _: RedirectResponse("/catalog.yaml"), "redirects more than 3 times"),
    "nothing there": (lambda _: PlainTextResponse("no", 404), "does not exist"),
    "a fault": (lambda _: PlainTextResponse(THEIRS, 500), "answered HTTP 500"),
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_what_an_address_can_do_is_a_clear_failure(attack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answer, told = ATTACKS[attack]
    whole = scaled(1 if attack == "no end in sight" else 30)
    monkeypatch.setattr(pinned_catalog, "TIMEOUTS", Timeouts(connect=whole, read=whole, whole=whole))
    async with answering(answer) as url:
        with pytest.raises((PinError, ToolFailure), match=told):
            await fetch(parse(pin(url, THEIRS)))


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("https://example.com/catalog.yaml", "has no pin: write .*#sha256=DIGEST"),
        ("https://example.com/catalog.yaml#sha256=abc", "has no pin"),
        ("https://example.com/catalog.yaml#md5=" + "a" * 64, "has no pin"),
        ("http://example.com/catalog.yaml#sha256=" + "a" * 64, "only https is read"),
        ("http://localhost.example.com/c#sha256=" + "a" * 64, "only https is read"),
        ("https://me:secret@example.com/c#sha256=" + "a" * 64, "contains credentials"),
        ("https://me:secret@example.com:99999/c#sha256=" + "a" * 64, "the address of a catalog is not an address"),
        ("https://me:sec/secret@example.com/c#sha256=" + "a" * 64, "is not an address"),
        ("https:///catalog.yaml#sha256=" + "a" * 64, "has no host"),
        ("http://[::1/c#sha256=" + "a" * 64, "is not an address"),
    ],
)
def test_an_address_without_a_pin_or_safety_is_refused(source: str, told: str) -> None:
    with pytest.raises(ValueError, match=told) as caught:
        parse(source)
    assert "secret" not in str(caught.value)
    with pytest.raises(SourceError, match=told):
        sources_of([source], None)  # type: ignore[arg-type]  # not reached


@asynccontextmanager
async def running(driver: Driver, *written: str) -> AsyncIterator[tuple[CatalogSources, CurrentCatalog, Cluster]]:
    cluster, current = Cluster(driver.api), CurrentCatalog()
    kept = KeptCatalogs(cluster, driver.namespace, "")
    show = cluster.metrics.catalog_sources
    sources = CatalogSources(sources_of(written, kept), current, lambda state, count: show.labels(state).set(count))
    await sources.start()
    yield sources, current, cluster


def counted(cluster: Cluster) -> dict[str, float]:
    (family,) = cluster.metrics.catalog_sources.collect()
    return {each.labels["state"]: each.value for each in family.samples if each.value}


@pytest.mark.cluster
async def test_the_last_good_one_stays(driver: Driver, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Through a wrong pin, a host that is away, and content that is no catalog; in this process and in the next."""
    caplog.set_level(logging.WARNING)
    file = tmp_path / "ours.yaml"
    file.write_text(OURS)
    served: dict[str, Any] = {"body": THEIRS, "asked": 0}

    def answer(_: Request) -> Response:
        served["asked"] += 1
        return PlainTextResponse(served["body"])

    async with answering(answer) as url:
        async with running(driver, str(file), pin(url, THEIRS)) as (_, current, cluster):
            assert set(current) == {"kmcp-prometheus", "kmcp-vault"}
            assert counted(cluster) == {"current": 2}
        async with running(driver, str(file), pin(url, THEIRS)) as (_, current, cluster):
            assert (set(current), served["asked"]) == ({"kmcp-prometheus", "kmcp-vault"}, 1), "it is kept"
        async with running(driver, str(file), pin(url, NEWER)) as (sources, current, cluster):
            assert [each.name for each in current["kmcp-vault"].tools] == ["vault_count"]
            assert counted(cluster) == {"current": 1, "kept": 1}
            assert "the last one stays" in caplog.text
            assert "its pin is" in caplog.text
            served["body"] = NEWER
            news = asyncio.Event()
            sources.changed = news.set
            await sources.look()
            assert [each.name for each in current["kmcp-vault"].tools] == ["vault_count", "vault_open"]
            assert news.is_set()
            assert counted(cluster) == {"current": 2}
    nothing = "servers: [}\n"
    async with answering(lambda _: PlainTextResponse(nothing)) as other:
        async with running(driver, str(file), pin(other, nothing)) as (_, current, cluster):
            assert set(current) == {"kmcp-prometheus"}
            assert counted(cluster) == {"current": 1, "missing": 1}
            assert "without it" in caplog.text
            assert "correct the YAML" in caplog.text
    async with running(driver, str(file), pin(url, NEWER)) as (_, current, cluster):  # nobody listens there any more
        assert counted(cluster) == {"current": 2}


@pytest.mark.cluster
async def test_health_is_answered_while_an_address_is_slow(driver: Driver, start: Start) -> None:
    """A kubelet that gets no answer would start the controller anew, and it would wait again."""
    asked, released = asyncio.Event(), asyncio.Event()

    async def handle(_: Request) -> Response:
        asked.set()
        await released.wait()
        return PlainTextResponse(THEIRS)

    (port,) = free_ports(1)

    async def look(path: str) -> tuple[int, str]:
        answer = await scraped(f"http://127.0.0.1:{port}{path}")
        return (answer.status_code, answer.text) if answer else (0, "")

    async with serving(Starlette(routes=[Route("/catalog.yaml", handle)])) as base:
        await start(
            "one", "--health-address", f"127.0.0.1:{port}", "--catalog-file", pin(f"{base}/catalog.yaml", THEIRS)
        )
        async with asyncio.timeout(scaled(60)):
            await asked.wait()
        await until(lambda: look("/healthz"), lambda seen: seen == (200, "ok\n"), 5, "the health")
        assert (await look("/readyz"))[1].startswith("starting")
        released.set()
        await until(lambda: look("/readyz"), lambda seen: seen == (200, "ok\n"), 60, "the start")


@pytest.mark.cluster
async def test_what_is_kept_counts_as_soon_as_it_can_be_read(driver: Driver) -> None:
    """Not at the start alone: the API server may have been away then, or another replica has read the address since."""
    served = {"status": 404}
    async with answering(lambda _: PlainTextResponse(THEIRS, served["status"])) as url:
        async with running(driver, pin(url, NEWER)) as (sources, current, cluster):
            assert (set(current), counted(cluster)) == (set(), {"missing": 1})
            served["status"] = 200
            async with running(driver, pin(url, THEIRS)):
                served["status"] = 404
            news = asyncio.Event()
            sources.changed = news.set
            await sources.look()
            assert (set(current), counted(cluster), news.is_set()) == ({"kmcp-vault"}, {"kept": 1}, True)
            news.clear()
            await sources.look()
            assert not news.is_set()


@pytest.mark.cluster
async def test_what_is_kept_and_was_changed_counts_for_nothing(driver: Driver, api: KubeApi) -> None:
    async with answering(lambda _: PlainTextResponse(THEIRS)) as url:
        async with running(driver, pin(url, THEIRS)):
            pass
        (kept,) = (await api.get(driver.path("ConfigMap"), [("labelSelector", f"{LABEL}=source")]))["items"]
        for content in (b"no gzip", BOMB, gzip.compress(b"a: &a [1]\nb: *a\n")):
            data = {"binaryData": {"catalog.yaml.gz": base64.b64encode(content).decode()}}
            await driver.merge("ConfigMap", kept["metadata"]["name"], data)
            async with running(driver, pin(url, THEIRS)) as (_, current, cluster):
                assert (set(current), counted(cluster)) == ({"kmcp-vault"}, {"current": 1})


@pytest.mark.cluster
async def test_a_file_is_read_again_when_it_changes(
    driver: Driver, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "catalog.yaml"
    file.write_text(THEIRS)
    async with running(driver, str(file)) as (sources, current, cluster):
        for content, told in (("a: &a [1]\nb: *a\n", "anchor or alias"), ("- " * 70 + "1", "nested deeper than 64")):
            file.write_text(content)
            await sources.look()
            assert told in caplog.text
            assert (set(current), counted(cluster)) == ({"kmcp-vault"}, {"kept": 1})
        file.write_text(OURS)
        await sources.look()
        assert (set(current), counted(cluster)) == ({"kmcp-prometheus"}, {"current": 1})
        file.unlink()
        await sources.look()
        assert (set(current), counted(cluster)) == ({"kmcp-prometheus"}, {"kept": 1})
    with pytest.raises(SourceError, match=r"No such file.*catalog\.yaml"):
        async with running(driver, str(file)):
            pass
    file.write_text(OURS)
    (tmp_path / "other.yaml").write_text(OURS)
    with pytest.raises(SourceError, match="in more than one of the catalogs"):
        async with running(driver, str(file), str(tmp_path / "other.yaml")):
            pass
