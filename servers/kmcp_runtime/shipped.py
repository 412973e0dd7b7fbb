"""Files that come with the suite beside its code: the catalog, the chart, and where the suite is published."""

import argparse
from collections.abc import Sequence
from pathlib import Path


def folder() -> Path:
    """Where they are: in this package where it was built into a wheel, else at the top of the checkout."""
    package = Path(__file__).parent
    built_in = package / "shipped_files"
    return built_in if built_in.is_dir() else package.parents[1]


def catalog_file() -> Path:
    return folder() / "catalog.yaml"


def chart() -> Path:
    """The chart's folder, as `helm install NAME FOLDER` takes it."""
    return folder() / "charts" / "kmcp"


def publishing_file() -> Path:
    return folder() / "publishing.yaml"


def main(argv: Sequence[str]) -> int:
    """Print the folder of the suite's chart: `helm install kmcp "$(kmcp-suite chart)"`."""
    argparse.ArgumentParser("kmcp-suite chart", description=main.__doc__).parse_args(argv)
    print(chart())
    return 0
