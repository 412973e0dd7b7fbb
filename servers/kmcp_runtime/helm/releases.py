"""Releases in the cluster, read without the binary: names and states by labels, a payload only where it is shown."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from kmcp_runtime import live_state
from kmcp_runtime.errors import ToolFailure, nearest, not_found, quoted_list, unavailable
from kmcp_runtime.helm import payload
from kmcp_runtime.helm.release import Release
from kmcp_runtime.hints import by_tool
from kmcp_runtime.kube import pages
from kmcp_runtime.kube.cluster import Cluster
from kmcp_runtime.kube.discovery import Kind
from kmcp_runtime.kube.failures import BACKEND, StatusFailure

Driver = Literal["secret", "configmap", "sql"]
PENDING = ("pending-install", "pending-upgrade", "pending-rollback")
# The label that Helm's storage drivers select by.
_OWNED = "owner=helm"
# Metadata only, so a page can be large: it is a few hundred bytes for each revision.
_PAGE = 5_000
_MOST_LOOKED_INTO = 50
"""Releases that are decoded to find out whether a given name is the name of their chart."""
_DECODED_AT_ONCE = 16


@dataclass(frozen=True)
class Head:
    """A revision as its labels describe it."""

    name: str
    namespace: str
    revision: int
    status: str
    key: str
    """Name of the Secret or ConfigMap that holds it."""
    created: str = ""
    labels: Mapping[str, str] = field(default_factory=dict, compare=False)


class Releases:
    """The releases of one cluster."""

    def __init__(self, cluster: Cluster, driver: Driver = "secret") -> None:
        if driver == "sql":
            raise unavailable(
                "releases are stored in an SQL database (HELM_DRIVER=sql), which cannot be read through the cluster",
                "use the helm binary where the database is reachable, or move to the secret driver",
            )
        self.cluster = cluster
        self._plural = "secrets" if driver == "secret" else "configmaps"
        self._decode = payload.of_secret if driver == "secret" else payload.of_configmap

    async def list_latest(
        self, namespace: str | None, selector: str | None = None, *, superseded: bool = False
    ) -> list[Head]:
        """The latest revision of each release, by name, then namespace; None is every namespace.

        `selector` is applied to that revision. Superseded revisions are left out unless asked for: they are nine tenths
        of all, and the latest is one of them only after somebody deleted its successor by hand.
        """
        scope = _OWNED if superseded else f"{_OWNED},status!=superseded"
        found = newest(await self._list_heads(namespace, scope))
        if selector:
            keys = {(head.namespace, head.key) for head in await self._list_heads(namespace, f"{selector},{scope}")}
            found = [head for head in found if (head.namespace, head.key) in keys]
        return found

    async def list_revisions(self, namespace: str, name: str) -> list[Head]:
        """Every stored revision, newest first; `not_found` when there is none."""
        heads = await self._list_heads(namespace, f"{_OWNED},name={name}")
        if not heads:
            raise await self.explain_absence(namespace, name)
        return sorted(heads, key=lambda head: head.revision, reverse=True)

    async def read_head(self, namespace: str, name: str, revision: int = 0) -> Head:
        """One revision; 0 is the latest."""
        heads = await self.list_revisions(namespace, name)
        wanted = [head for head in heads if revision in (0, head.revision)]
        if not wanted:
            kept = ", ".join(str(head.revision) for head in heads)
            raise not_found(f"release {name} has no revision {revision}", f"stored revisions: {kept}", backend=BACKEND)
        return wanted[0]

    async def read(self, head: Head) -> Release:
        """The revision decoded. Raises `payload.Undecodable`, and `not_found` when it has been deleted meanwhile."""
        found = await self.cluster.api.get(_path(self._plural, head.namespace, head.key))
        body = self._decode(str((found.get("data") or {}).get("release") or ""))
        return Release.of(body)

    async def read_current(self, namespace: str, name: str, revision: int = 0) -> Release:
        """One revision decoded; 0 is the latest."""
        return await self.read_or_fail(await self.read_head(namespace, name, revision))

    async def read_or_fail(self, head: Head) -> Release:
        """`read` for callers that cannot go on without it: an undecodable revision is `unavailable`."""
        try:
            return await self.read(head)
        except payload.Undecodable as error:
            raise unavailable(
                f"revision {head.revision} of release {head.name} cannot be read: {error}", "try another revision"
            ) from None

    async def find(self, namespace: str, name: str) -> Release | None:
        """The latest revision decoded, None when there is no such release."""
        heads = newest(await self._list_heads(namespace, f"{_OWNED},name={name}"))
        return await self.read(heads[0]) if heads else None

    async def read_deployed(self, heads: Sequence[Head]) -> Release | None:
        """The revision that runs, as Helm chooses it: the deployed one, else the latest unless that is uninstalled."""
        # After a failed upgrade the latest revision is not the one that runs.
        deployed = newest(head for head in heads if head.status == "deployed")
        if not deployed and heads[0].status == "uninstalled":
            return None
        return await self.read(deployed[0] if deployed else heads[0])

    async def find_deployed(self, namespace: str, name: str) -> Release | None:
        """The revision that runs; None when there is no such release, or it cannot be read."""
        try:
            return await self.read_deployed(await self.list_revisions(namespace, name))
        except payload.Undecodable:
            return None
        except ToolFailure as failure:
            if failure.code != "not_found":
                raise
            return None

    async def explain_absence(self, namespace: str, name: str) -> ToolFailure:
        """Why there is no such release, as far as this identity may look."""
        if await self.cluster.namespace_is_missing(namespace):
            return await self.cluster.explain_missing_namespace(namespace)
        here = newest(await self._list_if_permitted(namespace, _OWNED))
        elsewhere = sorted({head.namespace for head in await self._list_if_permitted(None, f"{_OWNED},name={name}")})
        hints = [f"namespace {', '.join(elsewhere)} has a release of that name"] if elsewhere else []
        of_chart = await self._find_by_chart(name, here[:_MOST_LOOKED_INTO])
        if of_chart:
            hints.append(f"{name} is the chart of release {', '.join(of_chart)}: give the name of the release")
        near = nearest(name, [head.name for head in here])
        if near and not of_chart:
            hints.append(f"did you mean {quoted_list(near)}?")
        message = f"no release {name!r} in namespace {namespace}"
        return not_found(message, "; ".join(hints) or by_tool("releases", "lists them"), backend=BACKEND)

    async def _find_by_chart(self, chart: str, heads: Iterable[Head]) -> list[str]:
        names = []
        for head in heads:
            try:
                release = await self.read(head)
            except (payload.Undecodable, ToolFailure):  # It would only have improved a hint.
                continue
            if release.chart_name == chart:
                names.append(release.name)
        return names

    async def _list_heads(self, namespace: str | None, selector: str) -> list[Head]:
        query = pages.Query(_kind(self._plural), namespace, selector, limit=_PAGE, form="names")
        items = await pages.fetch_all(self.cluster.api, query)
        return [head for head in map(_head, items) if head is not None]

    async def _list_if_permitted(self, namespace: str | None, selector: str) -> list[Head]:
        try:
            return await self._list_heads(namespace, selector)
        except StatusFailure:  # The hint is left out when this identity may not list releases there.
            return []


def bind(release: Release, context: str = "") -> None:
    """Tie the approval of this call to the release as it is: its revision and everything that is stored of it.

    `context` tells one cluster from another, for a call that changes several.
    """
    where = f" of {context}" if context else ""
    live_state.bind(f"release {release.namespace}/{release.name}{where}", asdict(release))


def newest(heads: Iterable[Head]) -> list[Head]:
    """The highest revision of each release, by name, then namespace."""
    found: dict[tuple[str, str], Head] = {}
    for head in heads:
        known = found.get((head.name, head.namespace))
        if known is None or head.revision > known.revision:
            found[head.name, head.namespace] = head
    return [found[key] for key in sorted(found)]


def _head(item: Mapping[str, Any]) -> Head | None:
    metadata = item["metadata"]
    labels = metadata.get("labels") or {}
    name, version = labels.get("name"), str(labels.get("version", ""))
    if not name or not version.isdigit():
        return None  # It has Helm's label but is not a release, for example an object of a test or another tool.
    return Head(
        name,
        metadata["namespace"],
        int(version),
        labels.get("status", "unknown"),
        metadata["name"],
        metadata.get("creationTimestamp") or "",
        labels,
    )


def _kind(plural: str) -> Kind:
    """Core kinds need no discovery."""
    kind = {"secrets": "Secret", "configmaps": "ConfigMap"}[plural]
    return Kind("", "v1", kind, plural, kind.lower(), (), True, ("get", "list"), frozenset(), True)


def _path(plural: str, namespace: str, name: str) -> str:
    return _kind(plural).path(namespace, name)
