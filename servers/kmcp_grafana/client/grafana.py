"""Grafana as the actions see it, for one call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from kmcp_grafana.client.api_groups import ApiGroups
from kmcp_grafana.client.failures import BACKEND, lacks_endpoint, needs_administrator
from kmcp_grafana.settings import GrafanaSettings
from kmcp_runtime import Call, ToolFailure, read_json, unavailable
from kmcp_runtime.judging import Verdict
from kmcp_runtime.upstream import Refused, Upstream

Row = dict[str, Any]
"""A JSON object as Grafana sends or takes it."""
Params = Sequence[tuple[str, str | int]]


def at(template: str, *segments: str | int) -> str:
    """A path with its `{}` filled by percent-encoded segments."""
    # A uid that came from outside must not add a segment to the path, nor a query.
    return template.format(*(quote(str(segment), safe="") for segment in segments))


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request that changes something."""

    method: str
    path: str
    body: Any = None
    params: Params = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def shown(self) -> str:
        query = urlencode(self.params)
        return f"{self.method} {self.path}{'?' if query else ''}{query}"


class Grafana:
    """The one way to Grafana's API: `read` changes nothing, `ask` what its verdict says, `send` does."""

    def __init__(
        self,
        upstream: Upstream,
        groups: ApiGroups,
        settings: GrafanaSettings,
        call: Call,
        administrator: Upstream | None = None,
    ) -> None:
        self._upstream = upstream
        self._administrator = administrator
        self.groups = groups
        self.settings = settings
        self.call = call

    @property
    def dry_run(self) -> bool:
        return bool(self.call.arguments.get("dry_run"))

    def as_administrator(self, action: str) -> "Grafana":
        """The same client with user and password, which server administration needs."""
        if self._administrator is None:
            raise needs_administrator(action)
        return Grafana(self._administrator, self.groups, self.settings, self.call)

    async def read(self, path: str, params: Params = ()) -> Any:
        try:
            # `read` may be repeated after a lost connection, which `send` must not.
            return await self._upstream.read("GET", path, params=list(params) or None)
        except Refused as refused:
            raise await self._explain(refused, "GET", path) from None

    async def ask(self, path: str, body: Any, verdict: Verdict) -> Any:
        """A query of a data source, which is sent as a POST; `verdict` is what the query does there."""
        try:
            return await self._upstream.read("POST", path, json=body, verdict=verdict)
        except Refused as refused:
            raise await self._explain(refused, "POST", path) from None

    async def send(self, request: Request) -> Any:
        """Send a change; its parsed answer, or an empty object when there is none."""
        more = {} if request.body is None else {"json": request.body}
        try:
            answer = await self._upstream.send(
                request.method, request.path, params=list(request.params) or None, headers=request.headers, **more
            )
        except Refused as refused:
            raise await self._explain(refused, request.method, request.path) from None
        if not answer.content.strip():
            return {}
        try:
            return self._upstream.remembered(
                request.method, request.path, read_json(answer.content), len(answer.content)
            )
        except ValueError:
            what = f"{request.method} {request.path}"
            raise unavailable(
                f"Grafana answered {what} with something that is not JSON; the change may have been made",
                "read the object again to see whether it was",
                backend=BACKEND,
            ) from None

    def link(self, path: str) -> str:
        """The address of a page; `path` may be as Grafana answered it, with its own path prefix or without."""
        # People may reach Grafana at another address than this server does.
        base = (self.settings.grafana_public_url or self._upstream.address).rstrip("/")
        prefix = urlsplit(base).path.rstrip("/")
        return base + (path.removeprefix(prefix) if prefix and path.startswith(prefix + "/") else path)

    async def _explain(self, refused: Refused, method: str, path: str) -> ToolFailure:
        # Routes come and go between versions; "not found" alone would read as if the object were absent.
        if not lacks_endpoint(refused):
            return refused
        version = await self.groups.read_version()
        return unavailable(
            f"Grafana {version} has no {method} {path}",
            "this version is too old or too new for it, or the feature is off",
            backend=BACKEND,
        )
