"""The live catalog as the MCP Registry API lists it, version 0.1. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kmcp_runtime.catalog import PUBLISHER, Listed, ServerEntry, server_json
from kmcp_runtime.catalog.listings import entry_package, entry_registry_name
from kmcp_runtime.publishing import published

from .live_server import place

OFFICIAL = "io.modelcontextprotocol.registry/official"
DEFAULT_LIMIT, LARGEST_LIMIT = 30, 100
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,254}")
_TRUTH = {"true": True, "false": False}


class QueryError(Exception):
    """Says which parameter is wrong, and what it takes."""


@dataclass(frozen=True)
class Query:
    cursor: str = ""
    limit: int = DEFAULT_LIMIT
    search: str = ""
    version: str = ""
    updated_since: datetime | None = None
    include_deleted: bool = False

    @classmethod
    def of(cls, given: Mapping[str, str]) -> "Query":
        limit, deleted = given.get("limit", str(DEFAULT_LIMIT)), given.get("include_deleted", "false")
        if not re.fullmatch(r"[0-9]{1,9}", limit) or not 1 <= int(limit) <= LARGEST_LIMIT:
            raise QueryError(f"limit: give 1 to {LARGEST_LIMIT}")
        if deleted not in _TRUTH:
            raise QueryError("include_deleted: give true or false")
        since = _time(given["updated_since"]) if given.get("updated_since") else None
        words = {name: given.get(name, "") for name in ("cursor", "search", "version")}
        return cls(**words, limit=int(limit), updated_since=since, include_deleted=_TRUTH[deleted])


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text.replace(" ", "+"))  # a plus that was not encoded arrives as a space
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise QueryError("updated_since: give an RFC 3339 time, for example 2026-01-31T00:00:00Z")
    return found


class Registry:
    """The entries of a document, by name; a server that is gone is an entry with the status deleted."""

    def __init__(
        self,
        document: Mapping[str, Any],
        removed: Iterable[Mapping[str, Any]],
        entries: Mapping[str, ServerEntry],
        namespace: str = "local.cluster",
    ) -> None:
        self._entries, self._namespace = entries, namespace
        living = document["servers"]
        shared = Counter(self._entry_name(server) for server in living)
        self._listed: dict[str, dict[str, Any]] = {}
        self._names: dict[tuple[str, str], str] = {}
        for server, status in [(each, "deleted") for each in removed] + [(each, "active") for each in living]:
            name = self._entry_name(server)
            if not name or shared[name] > (status == "active"):  # two servers of one entry are two servers
                name = None
            name = name or _own_name(server, namespace)
            self._names[place(server)] = name
            self._listed[name] = self._entry(name, server, status)

    def live_listed(self, server: Mapping[str, Any]) -> Listed:
        """A server of the document under the name that the API lists it by."""
        return _live_listed(server, self._entries, self._names[place(server)])

    def servers(self, query: Query) -> dict[str, Any]:
        found = [name for name in sorted(self._listed) if name > query.cursor and self._wanted(name, query)]
        page = found[: query.limit]
        metadata: dict[str, Any] = {"count": len(page)}
        if len(found) > len(page):
            metadata["nextCursor"] = page[-1]
        return {"servers": [self._listed[name] for name in page], "metadata": metadata}

    def versions(self, name: str) -> dict[str, Any] | None:
        """One: a cluster runs the version that it runs."""
        found = self._listed.get(name)
        return {"servers": [found], "metadata": {"count": 1}} if found else None

    def version(self, name: str, version: str) -> dict[str, Any] | None:
        found = self._listed.get(name)
        return found if found and version in ("latest", found["server"]["version"]) else None

    def _wanted(self, name: str, query: Query) -> bool:
        entry = self._listed[name]
        official = entry["_meta"][OFFICIAL]
        if query.updated_since and datetime.fromisoformat(official["updatedAt"]) < query.updated_since:
            return False
        # As the API says: who asks what was updated also learns what was deleted.
        shown = official["status"] == "active" or query.include_deleted or query.updated_since is not None
        versions = ("", "latest", entry["server"]["version"])
        return shown and query.search.lower() in name.lower() and query.version in versions

    def _entry_name(self, server: Mapping[str, Any]) -> str | None:
        entry = self._entries.get(server["entry"] or "")
        return entry_registry_name(server["entry"], entry, self._namespace) if entry else None

    def _entry(self, name: str, server: Mapping[str, Any], status: str) -> dict[str, Any]:
        found = server_json(_live_listed(server, self._entries, name))
        meta = {"hash": server["hash"], "match": server["match"], "ready": server["ready"]}
        found["_meta"][PUBLISHER]["kmcp-suite"] |= meta
        times = dict.fromkeys(("publishedAt", "statusChangedAt", "updatedAt"), _changed(server))
        return {"server": found, "_meta": {OFFICIAL: {"status": status, "isLatest": True, **times}}}


def _live_listed(server: Mapping[str, Any], entries: Mapping[str, ServerEntry], name: str) -> Listed:
    """A server of the document as the exports take it, listed by `name`."""
    entry = entries.get(server["entry"] or "")
    about = entry.description if entry else f"MCPServer {server['name']} in namespace {server['namespace']}"
    return Listed(
        name=server["name"],
        registry_name=name,
        title=entry.title if entry else server["name"],
        description=about[:100],  # the most that the schema of server.json takes
        version=_version(server, entry),
        tools=tuple(server["tools"]),
        env=entry.env if entry else (),
        egress=entry.egress if entry else (),
        metadata=entry.metadata if entry else None,
        image=server["image"] or None,
        package=entry_package(entry, published().package) if entry else "",
        homepage=entry.origin.homepage if entry and entry.origin else None,
        in_suite=entry is not None and entry.origin is None,
        own=entry is not None,
        url=server["url"] or None,
        namespace=server["namespace"],
        uid=server["uid"],
    )


def _own_name(server: Mapping[str, Any], namespace: str) -> str:
    return f"{namespace}/{'.'.join(place(server))}"


def _version(server: Mapping[str, Any], entry: ServerEntry | None) -> str:
    """What it reports; before it was asked, what its distribution or the tag of its image says."""
    reported = (server["serverInfo"] or {}).get("version", "")
    tag = server["image"].partition("@")[0].rpartition("/")[2].rpartition(":")[2] if ":" in server["image"] else ""
    for version in (reported, entry.origin.version if entry and entry.origin else "", tag):
        if _VERSION.fullmatch(version) and version != "latest":
            return str(version)
    # The schema wants a version, and the hash of the tools is what distinguishes two of them.
    return f"0.0.0-{server['hash'].removeprefix('sha256:')[:12]}"


def _changed(server: Mapping[str, Any]) -> str:
    """When its tools changed; before the first listing, when it came."""
    times = [each["lastTransitionTime"] for each in server["conditions"]]
    return str(server["changedAt"] or min(times, default="1970-01-01T00:00:00Z"))
