"""`kmcp-suite catalog diff` and `merge`: what changed between two catalogs, and several as one."""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kmcp_runtime.catalog import Catalog, Drift, Origin, ServerEntry, dump, load_parts
from kmcp_runtime.catalog import diff as tools_diff
from kmcp_runtime.commands import complain

SAME, BREAKING = 0, 1


def diff(argv: Sequence[str]) -> int:
    """Show what was added, what changed, and what breaks callers; exit code 1 when something breaks them."""
    parser = argparse.ArgumentParser("kmcp-suite catalog diff", description=diff.__doc__)
    parser.add_argument("old", type=Path, help="a catalog file, or a folder of parts")
    parser.add_argument("new", type=Path)
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument("--any", action="store_true", help="exit code 1 for every difference")
    given = parser.parse_args(argv)
    try:
        old, new = load_parts(given.old), load_parts(given.new)
    except (OSError, ValueError) as error:
        return complain(str(error), "kmcp-suite catalog diff")
    found = {name: drift for name, drift in _compare(old.servers, new.servers).items() if drift}
    if given.json:
        print(json.dumps({name: asdict(drift) for name, drift in found.items()}, indent=2))
    else:
        print("\n".join(_lines(found)) or "no difference")
    breaks = any(drift.breaking for drift in found.values())
    return BREAKING if breaks or (given.any and found) else SAME


def _compare(old: Mapping[str, ServerEntry], new: Mapping[str, ServerEntry]) -> dict[str, Drift]:
    """By server; of one that came or went all tools did."""
    return {
        name: tools_diff(old[name].tools if name in old else (), new[name].tools if name in new else ())
        for name in sorted(old.keys() | new.keys())
    }


def _lines(found: Mapping[str, Drift]) -> Iterator[str]:
    for name, drift in found.items():
        breaking = dict(drift.breaking)
        for tool in drift.added:
            yield f"{name}: added {tool}"
        for tool in drift.removed:
            yield f"{name}: BREAKING {tool}: {breaking.get(tool, 'removed')}"
        for tool in drift.changed:
            yield f"{name}: BREAKING {tool}: {breaking[tool]}" if tool in breaking else f"{name}: changed {tool}"


def merge(argv: Sequence[str]) -> int:
    """Print several catalogs as one: the suite's, and those of servers of your own."""
    parser = argparse.ArgumentParser("kmcp-suite catalog merge", description=merge.__doc__)
    parser.add_argument("catalog", type=Path, nargs="+", help="files or folders of parts; the first gives its name")
    given = parser.parse_args(argv)
    try:
        print(dump(merged([load_parts(path) for path in given.catalog])), end="")
    except (OSError, ValueError) as error:
        return complain(str(error), "kmcp-suite catalog merge")
    return 0


def merged(catalogs: Sequence[Catalog]) -> Catalog:
    """One catalog. Errors: ValueError for a server, or a tool, that two of them have."""
    first, servers = catalogs[0], dict[str, Any]()
    for each in catalogs:
        if twice := sorted(servers.keys() & each.servers.keys()):
            raise ValueError(f"{', '.join(twice)}: in more than one of the catalogs; leave one out")
        servers |= {name: _dated(entry, each, first) for name, entry in each.servers.items()}
    return Catalog(name=first.name, version=first.version, servers=servers)


def _dated(entry: ServerEntry, its: Catalog, first: Catalog) -> ServerEntry:
    """A server of another catalog keeps its version: that of the whole would be the first one's."""
    if entry.origin or its.version == first.version:
        return entry
    license = entry.metadata.license if entry.metadata else None
    # A copy: to check all of its tools again takes a controller seconds at its start.
    return entry.model_copy(update={"origin": Origin(distribution=its.name, version=its.version, license=license)})
