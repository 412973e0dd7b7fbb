"""What several subcommands take and read; nothing here needs the client of a cluster."""

import argparse
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import cast

from kmcp_runtime.catalog import Catalog, load
from kmcp_runtime.distributions import missing_libraries, server_points

from .manifests import Manifests

INSTALLED = "kmcp.installed"
"""Entry point of the function that returns the catalog of the installed servers."""


def read_catalog(file: Path | None) -> Catalog:
    """Of a file, else of what is installed. Errors: OSError, InvalidDocumentError."""
    if file is not None:
        return load(file.read_text(), str(file))
    # By its entry point: entries of further servers are made from their code, which the controller knows nothing of.
    (found,) = entry_points(group=INSTALLED, name="catalog")
    return cast("Callable[[], Catalog]", found.load())()


def installed_servers() -> tuple[frozenset[str], dict[str, list[str]]]:
    """The servers that are installed, and which libraries those lack that cannot run."""
    points = server_points()
    missing = {name: libraries for name, point in points.items() if (libraries := missing_libraries(point))}
    return frozenset(points), missing


def print_notes(found: Manifests) -> None:
    for note in found.notes:
        print(note, file=sys.stderr)


def add_suite_image(parser: argparse.ArgumentParser) -> None:
    text = (
        "prefix of repositories that hold the suite's images, beside those that publishing.yaml names; may be repeated"
    )
    parser.add_argument("--suite-image", action="append", default=[], metavar="PREFIX", help=text)
