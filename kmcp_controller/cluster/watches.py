"""The watches, by kopf: nothing of its handling of changes, finalizers or annotations is used.

kopf as a watch loop only: its handlers of changes would write an annotation to every object and keep a copy of each.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import kopf

from kmcp_runtime.errors import unavailable
from kmcp_runtime.kube.config import ContextInfo
from kmcp_runtime.kube.credentials import Credentials

from .client import KINDS, LABEL


class Observer(Protocol):
    """Who is shown what the watches see, between `start` and `stop`."""

    @property
    def watched(self) -> Sequence[str]:
        """The kinds, by their names in `KINDS`."""

    async def start(self) -> None: ...
    def see(self, event: Mapping[str, Any]) -> None: ...
    async def stop(self) -> None: ...


def register(observer: Observer, credentials: Credentials, context: ContextInfo) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    def login(**_: Any) -> kopf.ConnectionInfo:
        return connection(credentials, context)

    @kopf.on.startup(registry=registry)
    async def start(**_: Any) -> None:
        await observer.start()

    @kopf.on.cleanup(registry=registry)
    async def stop(**_: Any) -> None:
        await observer.stop()

    async def see(event: Mapping[str, Any], **_: Any) -> None:
        observer.see(event)

    for kind in observer.watched:
        found = KINDS[kind]
        kopf.on.event(found.group, found.version, found.plural, id=found.plural, registry=registry)(see)
    return registry


class NoBase(kopf.DiffBaseStorage):
    """No last state to compare an event's object with: for that kopf would copy each of them, three times."""

    def build(self, *, body: kopf.Body, extra_fields: Any = None) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        pass


class NoProgress(kopf.ProgressStorage):
    """Handlers of events are not repeated, so there is no progress to keep."""

    def fetch(self, *, key: Any, body: kopf.Body) -> None:
        return None

    def store(self, *, key: Any, record: Any, body: kopf.Body, patch: kopf.Patch) -> None:
        pass

    def purge(self, *, key: Any, body: kopf.Body, patch: kopf.Patch) -> None:
        pass

    def touch(self, *, body: kopf.Body, patch: kopf.Patch, value: str | None) -> None:
        pass

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence


def settings(watched: Iterable[str]) -> kopf.OperatorSettings:
    found = kopf.OperatorSettings()
    found.persistence.diffbase_storage, found.persistence.progress_storage = NoBase(), NoProgress()
    found.queueing.idle_timeout = 1.0  # seconds that the task of a quiet object is kept
    found.peering.standalone = True
    found.scanning.disabled = True
    found.posting.enabled = False
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)
    for kind in watched:
        if kind not in ("MCPServer", "HorizontalPodAutoscaler", "Secret"):
            found.watching.label_selectors[KINDS[kind].group, KINDS[kind].plural] = LABEL
    return found


def connection(credentials: Credentials, context: ContextInfo) -> kopf.ConnectionInfo:
    """What kopf connects with. Errors: `unavailable` for what it has no field for: it would be somebody else."""
    if credentials.acting_as or credentials.tls_server_name or credentials.basic:
        raise unavailable(
            f"the controller cannot use context {context.name!r}: its watches know no impersonation, "
            "no password and no tls-server-name",
            "give it a user and a server of its own",
        )
    return kopf.ConnectionInfo(
        server=context.server,
        ca_path=credentials.ssl_ca_cert,
        insecure=not credentials.verify_ssl,
        token=credentials.bearer(),
        certificate_path=credentials.cert_file,
        private_key_path=credentials.key_file,
        proxy_url=credentials.proxy,
    )


async def run(
    observer: Observer,
    credentials: Credentials,
    context: ContextInfo,
    *,
    namespaces: Sequence[str] = (),
    identity: str = "controller",
    **flags: Any,
) -> None:
    """Until a signal, or until `stop_flag` is set. Without `namespaces`, in all of them."""
    where: dict[str, Any] = {"namespaces": namespaces} if namespaces else {"clusterwide": True}
    where["identity"] = identity  # otherwise kopf asks for the user's name, and the user of a pod has none
    registry = register(observer, credentials, context)
    await kopf.operator(registry=registry, settings=settings(observer.watched), **where, **flags)
