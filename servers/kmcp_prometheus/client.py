"""The client of one Prometheus: its HTTP API v1, with bounded answers and Prometheus' own error messages."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kmcp_prometheus.api.failures import BACKEND, ApiFailure, explain
from kmcp_prometheus.api.path_effects import judge
from kmcp_prometheus.api.replies import Reply, reply
from kmcp_prometheus.api.sources import API, Datasource, chosen, configured
from kmcp_prometheus.promql.position import located
from kmcp_prometheus.settings import PrometheusSettings
from kmcp_runtime import Backend, Call, ToolFailure, read_json
from kmcp_runtime.upstream import Upstream
from kmcp_runtime.web import LARGEST_ANSWER

__all__ = ["Parameters", "Prometheus", "PrometheusBackend", "Reply", "open_backend"]
LARGEST_SERIES_BYTES = 8 * 1024 * 1024
"""Of an answer with series: a backend that ignores `limit` must not fill the memory."""
ADMINISTRATION_SECONDS = 240.0
# Some proxies in front of Prometheus, and read-only gateways of Thanos, let only GET through.
_METHOD_NOT_ALLOWED = 405
_PLAIN_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")

Parameters = Iterable[tuple[str, Any]]
"""Names and values: None is not sent, a list is sent as a repeated parameter."""


class Prometheus:
    """One data source for one call."""

    def __init__(self, source: Datasource, upstream: Upstream, settings: PrometheusSettings) -> None:
        self.source = source
        self.settings = settings
        self._upstream = upstream
        self._warnings: list[str] = []

    @property
    def warnings(self) -> list[str]:
        """The warnings of every answer so far, each once."""
        return list(dict.fromkeys(self._warnings))

    @property
    def address(self) -> str:
        return self._upstream.address

    async def get(self, path: str, parameters: Parameters = (), *, largest_bytes: int = LARGEST_ANSWER) -> Reply:
        pairs = _pairs(parameters)
        return self._noted(await self._upstream.read("GET", API + path, params=pairs, largest_bytes=largest_bytes))

    async def post(self, path: str, parameters: Parameters, *, largest_bytes: int = LARGEST_SERIES_BYTES) -> Reply:
        """Send a form, since queries may be long; fall back to GET where a backend or a proxy refuses POST."""
        pairs = _pairs(parameters)
        try:
            body = await self._upstream.read("POST", API + path, data=_form(pairs), largest_bytes=largest_bytes)
        except ApiFailure as failure:
            if failure.status != _METHOD_NOT_ALLOWED:
                raise
            return await self.get(path, pairs, largest_bytes=largest_bytes)
        return self._noted(body)

    def _noted(self, body: Any) -> Reply:
        found = reply(body)
        self._warnings += found.warnings
        return found

    async def send_command(self, path: str, parameters: Parameters = ()) -> Any:
        """Send an administrative request, which may take long; its `data`, None where the answer has no body."""
        # `send` and not `read`: most of these requests are answered with 204 and no JSON.
        form = _form(_pairs(parameters))
        answer = await self._upstream.send("POST", API + path, data=form, seconds=ADMINISTRATION_SECONDS)
        return reply(read_json(answer.content)).data if answer.content else None

    async def query(
        self,
        query: str,
        at: float,
        *,
        limit: int | None = None,
        timeout: float | None = None,
        lookback: float | None = None,
    ) -> Reply:
        """Evaluate an expression at one moment."""
        parameters = [
            ("query", query),
            ("time", stamp(at)),
            ("limit", limit),
            ("timeout", self._deadline(timeout)),
            # Prometheus reads a bare number as seconds here.
            ("lookback_delta", lookback and f"{lookback:.3f}"),
        ]
        return await self._send_query("/query", query, parameters)

    async def query_range(
        self,
        query: str,
        start: float,
        end: float,
        step: float,
        *,
        limit: int | None = None,
        timeout: float | None = None,
    ) -> Reply:
        """Evaluate an expression at every step of a range."""
        parameters = [
            ("query", query),
            ("start", stamp(start)),
            ("end", stamp(end)),
            ("step", f"{step:.3f}"),
            ("limit", limit),
            ("timeout", self._deadline(timeout)),
        ]
        return await self._send_query("/query_range", query, parameters)

    async def query_exemplars(self, query: str, start: float, end: float) -> Reply:
        parameters = [("query", query), ("start", stamp(start)), ("end", stamp(end))]
        return await self._send_query("/query_exemplars", query, parameters)

    async def list_label_values(
        self,
        name: str,
        match: Sequence[str] = (),
        start: float | None = None,
        end: float | None = None,
        limit: int | None = None,
    ) -> Reply:
        parameters = [("match[]", match), ("start", stamp(start)), ("end", stamp(end)), ("limit", limit)]
        return await self.get(f"/label/{path_of_label(name)}/values", parameters)

    async def _send_query(self, path: str, query: str, parameters: Parameters) -> Reply:
        try:
            return await self.post(path, parameters)
        except ApiFailure as failure:
            raise located(failure, query) from None

    def _deadline(self, asked: float | None) -> str:
        """In seconds; the backend gets it, too, and gives up when we do."""
        return f"{min(asked or self.source.seconds, self.source.seconds):.3f}"


def stamp(moment: float | None) -> str | None:
    # Milliseconds are the resolution of Prometheus' timestamps.
    return None if moment is None else f"{moment:.3f}"


def path_of_label(name: str) -> str:
    """A label's name in a path; all but plain ones are escaped as `U__` and hexadecimal code points."""
    if _PLAIN_NAME.fullmatch(name) and not name.startswith("U__"):
        return name
    return "U__" + "".join(_escaped(character) for character in name)


def _escaped(character: str) -> str:
    if character == "_":
        return "__"
    return character if character.isascii() and character.isalnum() else f"_{ord(character):x}_"


def _pairs(parameters: Parameters) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, value in parameters:
        if isinstance(value, list | tuple):
            pairs += [(name, str(item)) for item in value]
        elif value is not None:
            pairs.append((name, str(value)))
    return pairs


def _form(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    form: dict[str, list[str]] = {}
    for name, value in pairs:
        form.setdefault(name, []).append(value)
    return form


class PrometheusBackend(Backend):
    """The data sources of the configuration, each connected at first use."""

    def __init__(self, settings: PrometheusSettings) -> None:
        self.settings = settings
        self._sources: tuple[Datasource, ...] = ()
        self._upstreams: dict[str, Upstream] = {}

    def provide(self, call: Call) -> Mapping[type, Any]:
        return {Prometheus: self.reach(chosen(self.sources(), call.arguments)), PrometheusBackend: self}

    def sources(self) -> tuple[Datasource, ...]:
        if not self._sources:
            self._sources = configured(self.settings)
        return self._sources

    def reach(self, source: Datasource) -> Prometheus:
        # Connected at first use, so that one data source that is down does not keep the server from starting.
        if source.name not in self._upstreams:
            self._upstreams[source.name] = Upstream(BACKEND, source.access, explain, judge=judge)
        return Prometheus(source, self._upstreams[source.name], self.settings)

    async def ready(self) -> None:
        """Return when the default data source answers a query: that proves address, credentials and tenant."""
        await self.reach(self.sources()[0]).post("/query", [("query", "1")])

    async def close(self) -> None:
        for upstream in self._upstreams.values():
            await upstream.close()


def open_backend(settings: PrometheusSettings) -> PrometheusBackend:
    return PrometheusBackend(settings)


def is_not_served(failure: ToolFailure) -> bool:
    # An empty kind: Prometheus' own 404, as for an unknown metric, carries an `errorType`; a missing route has none.
    return isinstance(failure, ApiFailure) and failure.status in (404, _METHOD_NOT_ALLOWED) and not failure.kind
