"""Catalog entries of the installed servers, made from what their tools declare and their distributions say."""

from functools import lru_cache
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import cast

from mcp_types.version import LATEST_HANDSHAKE_VERSION, MODERN_PROTOCOL_VERSIONS

from kmcp_runtime import distributions, shipped
from kmcp_runtime.catalog import Catalog, EnvEntry, Metadata, Origin, ServerEntry, ToolEntry, Transport, load
from kmcp_runtime.declaration import Effect, ToolSpec
from kmcp_runtime.server import Server
from kmcp_runtime.settings import Settings, describe, is_required, is_secret, variable
from kmcp_runtime.version import VERSION

_EXTRAS = "KMCP_EXTRAS is not false"


def servers() -> list[Server]:
    """Every installed server, in the order of the ports."""
    found = [cast("Server", point.load()) for point in distributions.server_points().values()]
    return sorted(found, key=lambda server: server.port)


def catalog() -> Catalog:
    """Of every installed server, from the code."""
    points = distributions.server_points()
    found = {server.full_name: entry(server, points.get(server.name)) for server in servers()}
    return Catalog(name="kmcp-suite", version=VERSION, servers=found)


def installed() -> Catalog:
    """The shipped catalog, and the entries of servers that come in other distributions.

    Errors: InvalidDocumentError, OSError for a shipped catalog that cannot be read.
    """
    file = shipped.catalog_file()
    found = _read(file, file.stat().st_mtime_ns)
    added = {
        server.full_name: entry(server, point)
        for point in distributions.server_points().values()
        if not distributions.is_own(point)
        for server in [cast("Server", point.load())]
    }
    # Checked as a whole: two servers with a tool of one name are told at once.
    return Catalog(name=found.name, version=found.version, servers={**found.servers, **added})


@lru_cache(maxsize=2)
def _read(file: Path, changed: int) -> Catalog:
    """The shipped catalog: a second of CPU, and the same until the file changes."""
    return load(file.read_text(), str(file))


def entry(server: Server, point: EntryPoint | None = None) -> ServerEntry:
    """The entry of one server; `point` is where it was found, for the facts of a distribution not the suite's."""
    origin = _origin(server, point)
    return ServerEntry(
        title=server.title,
        description=server.description,
        metadata=Metadata(
            category=server.category, tags=server.tags, license=origin.license if origin else "Apache-2.0"
        ),
        origin=origin,
        transport=Transport(port=server.port),
        protocol_versions=(LATEST_HANDSHAKE_VERSION, *MODERN_PROTOCOL_VERSIONS),
        env=tuple(_env(server.settings)),
        egress=server.egress,
        token_limit=server.token_limit,
        tools=tuple(_tool(declared) for declared in server.tools()),
    )


def _origin(server: Server, point: EntryPoint | None) -> Origin | None:
    """Of a server that another distribution brings; the suite's own follow the catalog."""
    if point is None or point.dist is None or distributions.is_own(point):
        return None
    facts = distributions.facts_of(point.dist)
    return Origin(
        distribution=facts.name,
        version=facts.version,
        license=facts.license or None,
        homepage=facts.homepage or None,
        image=server.image or None,
        published=server.published,
    )


def _env(settings: type[Settings]) -> list[EnvEntry]:
    return [
        EnvEntry(
            name=variable(name, field),
            description=describe(field),
            required=is_required(field),
            secret=is_secret(field),
        )
        for name, field in settings.model_fields.items()
    ]


def _tool(declared: ToolSpec) -> ToolEntry:
    actions = dict(declared.by.effects) if declared.by else None
    if declared.by and actions is not None:
        actions |= {value: declared.effect for value in _values(declared) if value not in actions}
    return ToolEntry(
        name=declared.name,
        title=declared.title,
        description=declared.description,
        effect=None if actions else declared.worst,
        actions=actions,
        aliases=declared.aliases,
        input_schema=declared.input_schema(),
        output_schema=declared.output_schema(),
        annotations={
            "readOnlyHint": declared.worst is Effect.READ,
            "destructiveHint": declared.can_destroy(),
            "idempotentHint": declared.idempotent,
            "openWorldHint": declared.open_world,
        },
        needs=declared.needs,
        verified=declared.verified,
        against=declared.against,
        why=declared.why,
        when=declared.when or (_EXTRAS if declared.extra else None),
    )


def _values(declared: ToolSpec) -> list[str]:
    assert declared.by is not None
    schema = declared.input_schema()["properties"][declared.by.argument]
    if schema.get("type") == "boolean":
        return [declared.by.key(False), declared.by.key(True)]
    return [str(value) for value in schema.get("enum", ())]
