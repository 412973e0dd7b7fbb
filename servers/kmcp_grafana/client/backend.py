"""The Grafana of the configuration, with connections that are opened once for the server."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kmcp_grafana.client.api_groups import ApiGroups
from kmcp_grafana.client.failures import BACKEND, explain
from kmcp_grafana.client.grafana import Grafana
from kmcp_grafana.client.path_effects import judge
from kmcp_grafana.client.shapes import check_of
from kmcp_grafana.settings import GrafanaSettings
from kmcp_runtime import Backend, Call
from kmcp_runtime.upstream import Access, SetIn, Upstream


class GrafanaBackend(Backend):
    """The Grafana of the configuration."""

    def __init__(self, settings: GrafanaSettings) -> None:
        self.settings = settings
        access = _access(settings)
        self._upstream = Upstream(BACKEND, access, explain, judge=judge, promise=check_of)
        self._administrator: Upstream | None = None
        # Server administration takes only user and password, all else prefers the token, which has fewer rights.
        if settings.grafana_username:
            basic = replace(access, token=None, token_file="")
            self._administrator = Upstream(BACKEND, basic, explain, judge=judge, promise=check_of)
        self._groups = ApiGroups(self._upstream, settings)

    def provide(self, call: Call) -> Mapping[type, Any]:
        return {Grafana: Grafana(self._upstream, self._groups, self.settings, call, self._administrator)}

    async def ready(self) -> None:
        """Check that Grafana answers and accepts the credentials."""
        await self._upstream.read("GET", "/api/health")
        # `/api/health` needs no credentials, so a wrong token shows only here.
        await self._upstream.read("GET", "/api/org")

    async def close(self) -> None:
        await self._upstream.close()
        if self._administrator is not None:
            await self._administrator.close()


def open_backend(settings: GrafanaSettings) -> GrafanaBackend:
    return GrafanaBackend(settings)


def _access(settings: GrafanaSettings) -> Access:
    organisation = {"X-Grafana-Org-Id": str(settings.grafana_org_id)} if settings.grafana_org_id else {}
    return Access(
        url=settings.grafana_url,
        token=settings.grafana_token,
        token_file=settings.grafana_token_file,
        username=settings.grafana_username,
        password=settings.grafana_password,
        headers=organisation,
        ca_file=settings.grafana_ca_file,
        cert_file=settings.grafana_cert_file,
        key_file=settings.grafana_key_file,
        insecure=settings.grafana_insecure,
        seconds=settings.grafana_timeout,
        set_in=SetIn(
            url="GRAFANA_URL",
            credentials="GRAFANA_SERVICE_ACCOUNT_TOKEN (or GRAFANA_USERNAME and GRAFANA_PASSWORD)",
            tls="GRAFANA_CA_FILE, GRAFANA_CERT_FILE, GRAFANA_KEY_FILE",
            timeout="GRAFANA_TIMEOUT",
        ),
    )
