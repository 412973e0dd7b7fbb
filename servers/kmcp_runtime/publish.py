"""What is generated from the code: `catalog.yaml`, the examples of client configuration, and
what other packages add.

kmcp-suite catalog write            rewrite what is generated
kmcp-suite catalog check            fail when any of it is stale
kmcp-suite catalog export FORMAT    client configuration: claude-code, claude-desktop, vscode, cursor;
                                    for other catalogs: docker, server-json, toolhive, remotemcpserver

Other packages add actions by the entry points `kmcp.catalog`.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, cast

from mcp_types.version import LATEST_HANDSHAKE_VERSION, MODERN_PROTOCOL_VERSIONS

from kmcp_runtime.catalog import (
    FORMATS,
    LISTINGS,
    Catalog,
    EnvEntry,
    Metadata,
    ServerEntry,
    ToolEntry,
    Transport,
    dump,
    export,
    http_connections,
    listed,
    listing,
    stdio_connections,
)
from kmcp_runtime.commands import complain
from kmcp_runtime.declaration import Effect, ToolSpec
from kmcp_runtime.engine.cli import COMPOSED_PORT, SERVERS
from kmcp_runtime.server import Server
from kmcp_runtime.settings import Settings, describe, is_required, is_secret, variable
from kmcp_runtime.version import VERSION

CATALOG = Path("catalog.yaml")
CHART_CATALOG = Path("charts/kmcp/files/catalog.yaml")
CLIENTS = Path("examples/clients")
GENERATED = "kmcp.generated"
"""Entry points of functions that return further generated files: path to text."""
LOCAL_URL = f"http://127.0.0.1:{COMPOSED_PORT}"
"""Where `make up` serves the suite."""
ACTIONS = "kmcp.catalog"
"""Entry points of further actions: a function of their arguments."""
_EXTRAS = "KMCP_EXTRAS is not false"


def main(argv: Sequence[str]) -> int:
    added = {found.name: found for found in entry_points(group=ACTIONS)}
    if argv and argv[0] in added:
        return cast("Callable[[Sequence[str]], int]", added[argv[0]].load())(argv[1:])
    parser = argparse.ArgumentParser(prog="kmcp-suite catalog", description="The catalog of the suite.")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("write", help="rewrite what is generated from the code")
    actions.add_parser("check", help="fail when any of it is stale")
    exporting = actions.add_parser("export", help="client configuration, or entries for other catalogs")
    exporting.add_argument("format", choices=sorted(FORMATS | LISTINGS))
    exporting.add_argument("--url", default=LOCAL_URL, help="where the suite is served")
    exporting.add_argument("--stdio", action="store_true", help="commands instead of URLs")
    exporting.add_argument("--images", default="kmcp", help="prefix of the images' repositories (default: %(default)s)")
    for name in added:
        actions.add_parser(name, help=f"see kmcp-suite catalog {name} --help")
    chosen = parser.parse_args(argv)
    if chosen.action == "export":
        found = _listing if chosen.format in LISTINGS else _export
        json.dump(found(chosen), sys.stdout, indent=2)
        print()
        return 0
    return write() if chosen.action == "write" else check()


def write() -> int:
    for path, text in generated().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        print(f"wrote {path}")
    return 0


def check() -> int:
    stale = [str(path) for path, text in generated().items() if not path.is_file() or path.read_text() != text]
    return complain(f"stale: {', '.join(stale)}; run `make catalog`") if stale else 0


def servers() -> list[Server]:
    found = [cast("Server", point.load()) for point in entry_points(group=SERVERS)]
    return sorted(found, key=lambda server: server.port)


def catalog() -> Catalog:
    entries = {server.full_name: entry(server) for server in servers()}
    return Catalog(name="kmcp-suite", version=VERSION, servers=entries)


def generated() -> dict[Path, str]:
    """Every generated file and what it must hold."""
    found = catalog()
    text = dump(found)
    files = {CATALOG: text, CHART_CATALOG: text}
    connections = http_connections(found.servers, LOCAL_URL)
    for name in FORMATS:
        files[CLIENTS / f"{name}.json"] = json.dumps(export(name, connections), indent=2) + "\n"
    for point in entry_points(group=GENERATED):
        files |= cast("Callable[[], dict[Path, str]]", point.load())()
    return files


def entry(server: Server) -> ServerEntry:
    return ServerEntry(
        title=server.title,
        description=server.description,
        metadata=Metadata(category=server.category, tags=server.tags, license="Apache-2.0"),
        transport=Transport(port=server.port),
        protocol_versions=(LATEST_HANDSHAKE_VERSION, *MODERN_PROTOCOL_VERSIONS),
        env=tuple(_env(server.settings)),
        egress=server.egress,
        token_limit=server.token_limit,
        tools=tuple(_tool(declared) for declared in server.tools()),
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


def _export(chosen: argparse.Namespace) -> dict[str, Any]:
    entries: Mapping[str, ServerEntry] = catalog().servers
    own = stdio_connections(entries, lambda name: (name, "--transport", "stdio"))
    return export(chosen.format, own if chosen.stdio else http_connections(entries, chosen.url))


def _listing(chosen: argparse.Namespace) -> dict[str, Any]:
    found = catalog()
    entries = listed(found, chosen.images)
    if chosen.format == "remotemcpserver":  # the only one that is nothing without a URL
        urls = {each.name: each.url for each in http_connections(found.servers, chosen.url)}
        entries = tuple(replace(each, url=urls[each.name]) for each in entries)
    return listing(chosen.format, entries, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
