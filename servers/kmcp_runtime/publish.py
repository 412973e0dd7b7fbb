"""What is generated from the code: `catalog.yaml`, the examples of client configuration, and
what other packages add.

kmcp-suite catalog write            rewrite what is generated
kmcp-suite catalog check            fail when any of it is stale
kmcp-suite catalog export FORMAT    client configuration, a server of its own for each of the suite's; for other
                                    catalogs: docker, server-json, toolhive, remotemcpserver

Other packages add actions by the entry points `kmcp.catalog`.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import cast

from kmcp_runtime import distributions
from kmcp_runtime.catalog import (
    CLIENTS,
    LISTINGS,
    Catalog,
    ServerEntry,
    dump,
    http_connections,
    listed,
    listing,
    load,
    stdio_connections,
)
from kmcp_runtime.catalog.listings import NOT_PUBLISHED, Listed, is_local
from kmcp_runtime.commands import complain
from kmcp_runtime.connect.addresses import checked
from kmcp_runtime.connect.programs import known_values, over_stdio
from kmcp_runtime.entries import catalog, entry, installed, servers
from kmcp_runtime.publishing import LOCAL_IMAGES, published

__all__ = ["catalog", "check", "entry", "generated", "installed", "main", "servers", "write"]

CATALOG = Path("catalog.yaml")
CHART_CATALOG = Path("charts/kmcp/files/catalog.yaml")
EXAMPLES = Path("examples/clients")
GENERATED = "kmcp.generated"
"""Entry points of functions that return further generated files: path to text."""
LOCAL_URL = "http://127.0.0.1:8080"
"""Where `kmcp-suite up` serves the suite."""
ACTIONS = "kmcp.catalog"
"""Entry points of further actions: a function of their arguments."""
CHECKOUT = (Path("charts/kmcp/Chart.yaml"), Path("servers/kmcp_runtime"))
"""What the folder of the suite's source holds; elsewhere only the catalog of a server of one's own is written."""


def main(argv: Sequence[str]) -> int:
    """Write, check, compare, pin and export the catalog of the suite."""
    added = {found.name: found for found in entry_points(group=ACTIONS)}
    if argv and argv[0] in added:
        return cast("Callable[[Sequence[str]], int]", added[argv[0]].load())(argv[1:])
    parser = argparse.ArgumentParser(prog="kmcp-suite catalog", description="The catalog of the suite.")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("write", help="rewrite what is generated from the code")
    actions.add_parser("check", help="fail when any of it is stale")
    exporting = actions.add_parser("export", help="client configuration, or entries for other catalogs")
    exporting.add_argument("format", choices=sorted([*CLIENTS, *LISTINGS]))
    exporting.add_argument("--url", type=checked, default=LOCAL_URL, help="where the suite is served")
    exporting.add_argument("--stdio", action="store_true", help="commands instead of URLs")
    text = "prefix of the images' repositories (default: what publishing.yaml says; nothing there: no image is named)"
    exporting.add_argument("--images", default="", help=text)
    for name in added:
        actions.add_parser(name, help=f"see kmcp-suite catalog {name} --help")
    chosen = parser.parse_args(argv)
    try:
        return _run(chosen)
    except (OSError, ValueError) as error:
        return complain(str(error), "kmcp-suite catalog")


def _run(chosen: argparse.Namespace) -> int:
    if chosen.action == "export":
        sys.stdout.write(_listing(chosen) if chosen.format in LISTINGS else _export(chosen))
        return 0
    if all(path.exists() for path in CHECKOUT):
        return write() if chosen.action == "write" else check()
    return _write_own() if chosen.action == "write" else _check_own()


def write() -> int:
    for path, text in generated().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        print(f"wrote {path}")
    return 0


def check() -> int:
    stale = [str(path) for path, text in generated().items() if not path.is_file() or path.read_text() != text]
    return complain(f"stale: {', '.join(stale)}; run `make catalog`") if stale else 0


def _own_catalog() -> Catalog:
    """Of the servers that other distributions bring. Errors: ValueError when there are none."""
    found = installed()
    own = {name: server for name, server in found.servers.items() if server.origin}
    if not own:
        raise ValueError(
            "no server of your own is installed: install the project that declares one in the entry points "
            f"{distributions.SERVERS}, beside kmcp-suite"
        )
    origins = sorted({(server.origin.distribution, server.origin.version) for server in own.values() if server.origin})
    name, version = origins[0] if len(origins) == 1 else ("own-servers", found.version)
    return Catalog(name=name, version=version, servers=own)


def _write_own() -> int:
    found = _own_catalog()
    CATALOG.write_text(dump(found))
    print(f"wrote {CATALOG}: {', '.join(found.servers)}")
    return 0


def _check_own() -> int:
    """The entries are made and checked in any case; a `catalog.yaml` of this folder must say the same."""
    if not CATALOG.is_file():
        found = installed()
        tools = sum(len(server.tools) for server in found.servers.values())
        print(f"{len(found.servers)} servers with {tools} tools are right; there is no {CATALOG} here to compare with")
        return 0
    text = CATALOG.read_text()
    load(text, str(CATALOG))
    return 0 if text == dump(_own_catalog()) else complain(f"stale: {CATALOG}; run `kmcp-suite catalog write`")


def generated() -> dict[Path, str]:
    """Every generated file and what it must hold."""
    found = catalog()
    text = dump(found)
    files = {CATALOG: text, CHART_CATALOG: text}
    connections = http_connections(found.servers, LOCAL_URL)
    for name, client in CLIENTS.items():
        files[EXAMPLES / f"{name}.{client.language}"] = client.text(connections)
    for point in entry_points(group=GENERATED):
        files |= cast("Callable[[], dict[Path, str]]", point.load())()
    return files


def _export(chosen: argparse.Namespace) -> str:
    entries: Mapping[str, ServerEntry] = installed().servers
    if not chosen.stdio:
        return CLIENTS[chosen.format].text(http_connections(entries, chosen.url))
    own = stdio_connections(entries, over_stdio, lambda env: known_values(env, os.environ))
    return CLIENTS[chosen.format].text(own)


def _listing(chosen: argparse.Namespace) -> str:
    found, where = installed(), published()
    # Docker's catalog knows nothing but images: until some are published, those that `make image` leaves here.
    local = LOCAL_IMAGES if chosen.format == "docker" else ""
    entries = listed(found, chosen.images or where.images or local, where.package)
    if chosen.format == "remotemcpserver":  # the only one that is nothing without a URL
        urls = {each.name: each.url for each in http_connections(found.servers, chosen.url)}
        entries = tuple(replace(each, url=urls[each.name]) for each in entries)
    _remark(entries)
    body = listing(chosen.format, entries, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    return json.dumps(body, indent=2) + "\n"


def _remark(entries: Sequence[Listed]) -> None:
    """What the export leaves out, and why; apart from the document, which is to stay one of its format."""
    unpublished = [each.name for each in entries if not (each.image or each.package or each.url)]
    if unpublished:
        print(f"{', '.join(unpublished)}: {NOT_PUBLISHED}", file=sys.stderr)
    if any(each.image and is_local(each.image) for each in entries):
        print(f"images at {LOCAL_IMAGES} are those that `make image SERVER=…` builds on this machine", file=sys.stderr)
