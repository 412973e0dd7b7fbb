"""Where `kmcp-suite top` reads: suites of this machine, addresses that are named, pods of a cluster."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

import httpx2

from kmcp_controller.local.instances import instances
from kmcp_runtime import urls

Texts = Mapping[str, str | Exception]
"""By source: the text of its /metrics, or why there is none."""
Read = Callable[[], Awaitable[Texts]]
_SECONDS = 5.0
_LARGEST = 16 * 2**20


class NothingRunsError(Exception):
    """Says that there is nothing to show, and what to do."""


def address_of(text: str) -> str:
    """The address of metrics that is meant: `:8081`, `host:8081`, or a URL. Errors: ValueError in words."""
    whole = text if "://" in text else f"http://{'127.0.0.1' if text.startswith(':') else ''}{text}"
    try:
        parts = urls.split(whole, ("http", "https"))
    except ValueError as error:
        raise ValueError(f"{text!r} is not an address: {error}; use http://HOST:PORT, or :PORT") from None
    return whole if parts.path.strip("/") else f"{whole.rstrip('/')}/metrics"


@asynccontextmanager
async def of_addresses(urls: Sequence[str]) -> AsyncIterator[Read]:
    async with _client() as http:
        yield lambda: _read_all(http, urls)


@asynccontextmanager
async def of_this_machine(port: int | None) -> AsyncIterator[Read]:
    """Of the suites that run, or of that at `port`; looked for anew each time. Errors: NothingRunsError, at first."""
    if not _local(port):
        at = f" at port {port}" if port else ""
        raise NothingRunsError(
            f"no suite runs on this machine{at}; kmcp-suite up starts one; --url reads other servers, --cluster those "
            "of a cluster"
        )
    known: dict[str, None] = {}

    async def read() -> Texts:
        found = _local(port)
        known.update(dict.fromkeys(found))
        ended = [each for each in known if each not in found]
        return {**await _read_all(http, found), **{each: ConnectionError("its suite has ended") for each in ended}}

    async with _client() as http:
        yield read


@asynccontextmanager
async def of_cluster(kubeconfig: str, context: str | None, namespace: str | None) -> AsyncIterator[Read]:
    """Of every pod of a server of the suite. Errors: ToolFailure of the cluster, NothingRunsError."""
    # The library of the cluster's client is an extra, which a laptop does without.
    from kmcp_controller.cluster import pod_metrics
    from kmcp_runtime.kube.api import KubeApi, Limits
    from kmcp_runtime.kube.config import load_contexts

    contexts = load_contexts(kubeconfig)
    api = KubeApi(contexts, contexts.named(context), Limits())

    async def read() -> Texts:
        found = await pod_metrics.read(api, namespace)
        if not found:
            where = f"namespace {namespace}" if namespace else "the cluster"
            raise NothingRunsError(
                f"no pod of a server of the suite runs in {where}; `kubectl get mcpservers -A` lists them"
            )
        return found

    try:
        yield read
    finally:
        await api.close()


def _local(port: int | None) -> list[str]:
    running = [each for each in instances() if port in (None, each.port) and each.is_running()]
    return [url for each in running if (state := each.state()) for url in state.metrics]


def _client() -> httpx2.AsyncClient:
    # No proxy of the environment, and no redirect: what is named is what is read.
    return httpx2.AsyncClient(trust_env=False, follow_redirects=False, timeout=_SECONDS)


async def _read_all(http: httpx2.AsyncClient, urls: Sequence[str]) -> Texts:
    texts = await asyncio.gather(*(_read(http, url) for url in urls))
    return dict(zip(urls, texts, strict=True))


async def _read(http: httpx2.AsyncClient, url: str) -> str | Exception:
    found = bytearray()
    try:
        async with asyncio.timeout(_SECONDS), http.stream("GET", url) as answer:
            if answer.status_code != 200:
                return ConnectionError(f"it answered HTTP {answer.status_code}")
            async for chunk in answer.aiter_bytes():
                found += chunk
                if len(found) > _LARGEST:
                    return ConnectionError(f"it answers more than {_LARGEST >> 20} MiB")
    except TimeoutError:
        return TimeoutError(f"no answer within {_SECONDS:.0f} s")
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        return ConnectionError(f"it does not answer ({type(error).__name__})")
    return found.decode(errors="replace")
