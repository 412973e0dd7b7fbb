"""Which kinds the cluster has: aggregated discovery, cached for a short time, read again when a kind is missing."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from kmcp_runtime.errors import ToolFailure, bad_argument, nearest, not_found, quoted_list
from kmcp_runtime.hints import by_tool
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.looks import Looked

# Aggregated discovery (KEP-3352) is two requests; older servers ignore the first type and answer the second.
ACCEPT = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
# A kind that is missing is looked for again at once, and so is one that is not served any more (`unserved_at`).
FRESH_SECONDS = 60.0
# Served by kube-apiserver itself; *.k8s.io alone proves nothing, CRDs such as the Gateway API use it too.
_BUILT_IN_GROUPS = frozenset(
    {
        "",
        "apps",
        "batch",
        "autoscaling",
        "policy",
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "certificates.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "flowcontrol.apiserver.k8s.io",
        "internal.apiserver.k8s.io",
        "networking.k8s.io",
        "node.k8s.io",
        "rbac.authorization.k8s.io",
        "resource.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
        "storagemigration.k8s.io",
    }
)


@dataclass(frozen=True)
class Kind:
    """One resource type as the API server names it."""

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    short_names: tuple[str, ...]
    namespaced: bool
    verbs: tuple[str, ...]
    subresources: frozenset[str]
    preferred: bool
    """True for the version that the API server prefers."""
    categories: tuple[str, ...] = ()
    """Names under which it is listed together with others: `all`."""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def full_name(self) -> str:
        """`plural.group`, or the plural alone for the core group."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def built_in(self) -> bool:
        """False for custom resources, which do not support strategic merge patches."""
        return self.group in _BUILT_IN_GROUPS

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        prefix = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        scope = f"/namespaces/{quote(namespace, safe='')}" if namespace and self.namespaced else ""
        parts = [part for part in (quote(name, safe="") if name else None, subresource) if part]
        return "/".join([f"{prefix}{scope}/{self.plural}", *parts])

    def names(self) -> Iterator[str]:
        yield from (self.plural, self.singular, self.kind.lower(), *self.short_names)


class Discovery:
    """The kinds of one cluster."""

    def __init__(self, api: KubeApi) -> None:
        self._api = api
        self._kinds: tuple[Kind, ...] = ()
        self._resolved: dict[str, Kind] = {}
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()
        self.warnings: list[str] = []
        """Groups that did not answer when the kinds were last read."""

    async def kinds(self) -> tuple[Kind, ...]:
        """Every kind in every served version, the preferred version first."""
        await self._read(older_than=FRESH_SECONDS)
        return self._kinds

    async def resolve(self, resource_type: str) -> Kind:
        """The kind that a caller means: plural, singular, short name, kind, `plural.group`, `plural.version.group`."""
        await self._read(older_than=FRESH_SECONDS)
        wanted = resource_type.strip().lower()
        if wanted in self._resolved:
            return self._resolved[wanted]
        self._resolved[wanted] = found = await self._resolve(wanted, resource_type)
        return found

    async def resolve_each(self, resource_type: str) -> list[Kind]:
        """The kinds that `pods,services` and a category such as `all` name, each once, in the order of their names."""
        known, found = await self.kinds(), list[Kind]()
        for name in filter(None, (part.strip() for part in resource_type.split(","))):
            wanted = name.lower()
            of_category = [kind for kind in known if kind.preferred and wanted in kind.categories]
            found += of_category if of_category and not _matching(known, wanted) else [await self.resolve(name)]
        return list(dict.fromkeys(found)) or [await self.resolve(resource_type)]

    async def _resolve(self, wanted: str, resource_type: str) -> Kind:
        if "," in wanted:
            raise bad_argument(f"resource_type: one kind in a call, not {resource_type!r}", "call once for each kind")
        if wanted in ("all", "*", ""):
            raise bad_argument(
                f"resource_type {resource_type!r} is not a kind", _with_kinds("give one kind", "lists them")
            )
        if "/" in wanted:
            raise bad_argument(
                f"resource_type {resource_type!r} contains a slash", "write plural.group or plural.version.group"
            )
        found = _matching(await self.kinds(), wanted)
        if not found:
            await self._read(older_than=1.0)
            found = _matching(self._kinds, wanted)
        return _single(found, resource_type) or _unknown(self._looked_at(), wanted)

    async def find_kind(self, api_version: str, kind: str) -> Kind:
        """The kind that a manifest names."""
        for older_than in (FRESH_SECONDS, 1.0):
            await self._read(older_than)
            for known in self._kinds:
                if known.api_version == api_version and known.kind == kind:
                    return known
        alike = [f"{known.kind} ({known.api_version})" for known in self._kinds if known.kind.lower() == kind.lower()]
        near = alike or nearest(kind, {known.kind for known in self._kinds})
        hint = f"did you mean {quoted_list(near)}?" if near else "is its CustomResourceDefinition installed?"
        raise not_found(self._looked_at().absence(f"the cluster has no kind {kind} in {api_version}"), hint)

    def _looked_at(self) -> Looked[Kind]:
        """The kinds of the groups that answered: a group that did not may have what is looked for."""
        return Looked(self._kinds, of="kinds", limits="; ".join(self.warnings))

    async def _read(self, older_than: float) -> None:
        # Calls that start together wait for one read instead of sending their own.
        async with self._reading:
            if time.monotonic() - self._read_at < older_than and self._read_at > self._api.unserved_at:
                return
            core, groups = await asyncio.gather(
                self._api.get("/api", accept=ACCEPT), self._api.get("/apis", accept=ACCEPT)
            )
            self.warnings = []
            if core.get("kind") == "APIGroupDiscoveryList":
                kinds = [*_aggregated(core, self.warnings), *_aggregated(groups, self.warnings)]
            else:
                kinds = await self._read_one_by_one(core, groups)
            # A stable sort: within the preferred versions the API server's order of groups stays.
            self._kinds = tuple(sorted(kinds, key=lambda kind: not kind.preferred))
            self._resolved = {}
            self._api.cluster_scoped = frozenset((kind.group, kind.plural) for kind in kinds if not kind.namespaced)
            self._read_at = time.monotonic()

    async def _read_one_by_one(self, core: Mapping[str, Any], groups: Mapping[str, Any]) -> list[Kind]:
        """Discovery of servers that do not aggregate: one request per group and version."""
        paths = [(f"/api/{version}", "", version, True) for version in core.get("versions") or ()]
        for group in groups.get("groups") or ():
            preferred = (group.get("preferredVersion") or {}).get("version")
            for entry in group.get("versions") or ():
                version = entry["version"]
                paths.append((f"/apis/{group['name']}/{version}", group["name"], version, version == preferred))
        answers = await asyncio.gather(*(self._list(path) for path, *_ in paths))
        return [
            kind
            for (_, group, version, preferred), resources in zip(paths, answers, strict=True)
            for kind in _listed(resources, group, version, preferred)
        ]

    async def _list(self, path: str) -> list[Mapping[str, Any]]:
        try:
            return list((await self._api.get(path)).get("resources") or ())
        except ToolFailure as failure:
            self.warnings.append(f"{path} did not answer: {failure.message}")
            return []


def _aggregated(document: Mapping[str, Any], warnings: list[str]) -> Iterator[Kind]:
    for group in document.get("items") or ():
        name = (group.get("metadata") or {}).get("name", "")
        for position, version in enumerate(group.get("versions") or ()):
            # The aggregated API server behind the group does not answer (an APIService that is not available).
            if version.get("freshness") == "Stale":
                warnings.append(f"the API group {name}/{version['version']} did not answer; its kinds may be missing")
            for entry in version.get("resources") or ():
                # The API server lists the preferred version first.
                yield _kind(entry, name, version["version"], position == 0)


def _kind(entry: Mapping[str, Any], group: str, version: str, preferred: bool) -> Kind:
    answer = entry.get("responseKind") or {}
    return Kind(
        group,
        version,
        answer.get("kind", ""),
        entry["resource"],
        entry.get("singularResource") or "",
        tuple(entry.get("shortNames") or ()),
        entry.get("scope") == "Namespaced",
        tuple(entry.get("verbs") or ()),
        frozenset(sub["subresource"] for sub in entry.get("subresources") or ()),
        preferred,
        tuple(entry.get("categories") or ()),
    )


def _listed(resources: Iterable[Mapping[str, Any]], group: str, version: str, preferred: bool) -> Iterator[Kind]:
    resources = list(resources)
    for entry in resources:
        name = entry["name"]
        # Before aggregated discovery, subresources were entries of their own: `pods/log`.
        if "/" in name:
            continue
        subresources = {other["name"].split("/", 1)[1] for other in resources if other["name"].startswith(f"{name}/")}
        yield Kind(
            group,
            version,
            entry["kind"],
            name,
            entry.get("singularName") or entry["kind"].lower(),
            tuple(entry.get("shortNames") or ()),
            bool(entry.get("namespaced")),
            tuple(entry.get("verbs") or ()),
            frozenset(subresources),
            preferred,
            tuple(entry.get("categories") or ()),
        )


def _matching(kinds: Sequence[Kind], wanted: str) -> list[Kind]:
    """Kinds under that name, one per group: the preferred version unless the version is part of the name.

    As kubectl looks: a whole name goes before a short name, and a whole group before the beginning of one, so that
    `ingress.networking` is of networking.k8s.io.
    """
    name, dot, rest = wanted.partition(".")
    # `pods.v1.` has the version and the core group, whose name is empty.
    rest = rest.rstrip(".")
    pools: list[list[Kind]] = [
        [kind for kind in kinds if rest == f"{kind.version}.{kind.group}".rstrip(".")],
        [kind for kind in kinds if rest == kind.group],
        [kind for kind in kinds if kind.group.startswith(rest)],
    ]
    for pool in pools if dot else [list(kinds)]:
        for is_named in _BY_NAME:
            by_group: dict[str, Kind] = {}
            for kind in pool:
                if is_named(kind, name):
                    by_group.setdefault(kind.group, kind)
            if by_group:
                return list(by_group.values())
    return []


_BY_NAME: tuple[Callable[[Kind, str], bool], ...] = (
    lambda kind, name: name in (kind.plural, kind.singular),
    lambda kind, name: name in kind.short_names,
    lambda kind, name: name == kind.kind.lower(),
)


def _single(found: list[Kind], resource_type: str) -> Kind | None:
    if len(found) < 2:
        return found[0] if found else None
    # As kubectl does: the core group first, then the built-in groups, then what was added to the cluster.
    for preferred in ([kind for kind in found if not kind.group], [kind for kind in found if kind.built_in]):
        if len(preferred) == 1:
            return preferred[0]
    forms = ", ".join(sorted(kind.full_name for kind in found))
    raise bad_argument(f"resource_type {resource_type!r} is ambiguous: {forms}", "use one of these names")


def _unknown(known: Looked[Kind], wanted: str) -> Kind:
    name, _, group = wanted.partition(".")
    if group and not any(kind.group.startswith(group) or f"{kind.version}.{kind.group}" == group for kind in known):
        raise not_found(
            known.absence(f"the cluster has no API group {group!r}"),
            _with_kinds("is its CustomResourceDefinition installed?", "lists the kinds that are served", " "),
        )
    # Names of two letters are near to anything and would only mislead.
    near = nearest(name, {candidate for kind in known for candidate in kind.names() if len(candidate) > 2})
    plurals = list(dict.fromkeys(kind.full_name for word in near for kind in known if word in kind.names()))[:3]
    hint = f"did you mean {quoted_list(plurals)}?" if plurals else by_tool("kinds", "lists the kinds that are served")
    raise not_found(known.absence(f"the cluster has no resource type {wanted!r}"), hint)


def _with_kinds(hint: str, text: str, separator: str = "; ") -> str:
    """The hint, and the tool that lists the kinds where the server has one."""
    listed = by_tool("kinds", text)
    return f"{hint}{separator}{listed}" if listed else hint
