"""What a process asks the API server of the cluster that it runs in, for itself and not for a tool's caller.

Nothing here needs the official Kubernetes client: servers of other backends use it too, and their images do not have
that package. It is loaded only where a setting needs the cluster.
"""

import os
from collections.abc import Sequence
from typing import Any, Self

from kmcp_runtime import json_text
from kmcp_runtime.errors import ToolFailure, unavailable
from kmcp_runtime.kube import config
from kmcp_runtime.kube.credentials import Credentials, load
from kmcp_runtime.kube.failures import BACKEND, from_response
from kmcp_runtime.kube.tls import tls
from kmcp_runtime.settings import SettingsError, read_variable
from kmcp_runtime.tracing import routes
from kmcp_runtime.tracing.backend_requests import Target
from kmcp_runtime.web import Timeouts, Web

TIMEOUTS = Timeouts(connect=5.0, read=10.0, whole=10.0)
_LARGEST_BYTES = 4 * 1024 * 1024
Object = dict[str, Any]


def own_contexts(setting: str) -> config.Contexts:
    """The cluster that this process runs in. Errors: `SettingsError`, naming the setting that needs one."""
    try:
        return config.load_own(read_variable(os.environ, "KUBECONFIG"))
    except ToolFailure as failure:
        hint = f"; {failure.hint}" if failure.hint else ""
        raise SettingsError(f"{setting}: {failure.message}{hint}") from None


class OwnCluster:
    """Requests to one API server, over connections that are kept until it is closed."""

    def __init__(self, context: config.ContextInfo, credentials: Credentials, timeouts: Timeouts = TIMEOUTS) -> None:
        self.context = context
        self._credentials = credentials
        self._web = Web(timeouts, tls=lambda: tls(credentials))

    @classmethod
    async def open(cls, contexts: config.Contexts, timeouts: Timeouts = TIMEOUTS) -> Self:
        """In the current context. Errors: `unavailable`, naming the file and the field that cannot be used."""
        context = contexts.named(None)
        return cls(context, await load(contexts, context), timeouts)

    async def aclose(self) -> None:
        await self._web.close()

    async def send(self, method: str, path: str, **request: Any) -> Object:
        """The object of the answer. Errors: `StatusFailure` where it is refused, `unavailable` and the like."""
        place = f"the API server at {self.context.server}"
        headers: Sequence[tuple[str, str]] = [*self._credentials.headers(), ("User-Agent", "kmcp-suite")]
        answer = await self._web.send(
            method,
            self.context.server.rstrip("/") + path,
            largest_bytes=_LARGEST_BYTES,
            shown_as=place,
            headers=headers,
            target=Target(BACKEND, routes.kubernetes(path)),
            **request,
        )
        if answer.status >= 300:
            raise from_response(answer.status, answer.content, self.context.user or "this server")
        try:
            parsed = json_text.read(answer.content)
        except ValueError:
            parsed = None
        if not isinstance(parsed, dict):
            raise unavailable(f"{place} answered something that is not JSON of its own")
        return parsed
