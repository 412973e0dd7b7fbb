"""The suite's own documentation: the pages of `docs/`, and the texts at the top of the repository."""

from collections.abc import Iterator
from pathlib import Path

from kmcp_querydoc.sources.definitions import OWN, Source
from kmcp_querydoc.sources.page import Page
from kmcp_runtime import VERSION

_TEXTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "bench/README.md")
_PAGES = "docs"


def source() -> Source:
    return Source(product=OWN, version=VERSION, suite=True, aliases=("kmcp",))


def root() -> Path:
    """Where the texts are: beside this package where it was built into a wheel, else at the top of the checkout."""
    package = Path(__file__).parents[1]
    built_in = package / "own"
    return built_in if built_in.is_dir() else package.parents[1]


def pages(folder: Path) -> Iterator[Page]:
    """Texts that are missing are left out: an installation may have been made without them."""
    below = sorted(path.relative_to(folder).as_posix() for path in (folder / _PAGES).rglob("*.md"))
    for name in (*_TEXTS, *below):
        if (folder / name).is_file():
            yield Page(name, name, "markdown", (folder / name).read_text())
