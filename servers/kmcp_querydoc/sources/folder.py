"""Documents and source files below a folder."""

import fnmatch
import os
from collections.abc import Iterator
from pathlib import Path

from kmcp_querydoc.parsing import SUFFIXES
from kmcp_querydoc.sources import includes
from kmcp_querydoc.sources.definitions import Source
from kmcp_querydoc.sources.page import Page, Skipped
from kmcp_runtime import bad_argument, not_found

LARGEST_FILE = 4 * 1024 * 1024
_UNINTERESTING = {"node_modules", "vendor", "testdata", "third_party", "site-packages", "dist", "target"}


def pages(source: Source, root: Path, address: str = "") -> Iterator[Page | Skipped]:
    """Every page below the root, in the order of paths; `address` is a template where the source has none."""
    if not root.is_dir():
        raise not_found(f"{source.title}: there is no folder {root}", "check the path of the source")
    suffixes = {f".{suffix.lstrip('.')}": "code" for suffix in source.code} or SUFFIXES
    template = source if source.url or not address else source.model_copy(update={"url": address})
    fragments: set[Path] = set()
    found: list[tuple[Path, Page]] = []
    for file in _files(source, root, set(suffixes)):
        path = file.relative_to(root).as_posix()
        try:
            text = _text(file)
        except (OSError, ValueError) as error:
            yield Skipped(path, str(error))
            continue
        form = suffixes[file.suffix.lower()]
        if form in includes.FORMATS:
            text, included = includes.put_in(text, file, root, form)
            fragments |= included
        found.append((file, Page(path, template.address(_below(path, source), path), form, text)))
    # A fragment has been read as part of the pages that include it; alone it would be a duplicate.
    yield from (page for file, page in found if file not in fragments)


def _below(path: str, source: Source) -> str:
    """The path as a site has it: what is outside the documentation's own folder is no part of an address."""
    if not source.url:
        return path
    folders = (folder.strip("/") for folder in source.under)
    return next((path[len(folder) + 1 :] for folder in folders if path.startswith(f"{folder}/")), path)


def _text(file: Path) -> str:
    if file.stat().st_size > LARGEST_FILE:
        raise ValueError(f"larger than {LARGEST_FILE >> 20} MiB")
    # A file that is not UTF-8 raises ValueError here and is skipped, like a binary one.
    text = file.read_text(encoding="utf-8-sig")
    if "\0" in text:
        raise ValueError("a binary file")
    return text


def _files(source: Source, root: Path, suffixes: set[str]) -> Iterator[Path]:
    inside = root.resolve()
    for folder in source.under or ("",):
        start = (root / folder).resolve()
        if not start.is_relative_to(inside):
            raise bad_argument(f"{source.title}: under: {folder!r} is outside the source")
        if start.is_file():
            yield start
        elif start.is_dir():
            yield from _walk(start, source, inside, suffixes)
        else:
            raise not_found(f"{source.title}: there is no {folder!r} in {root}", "check `under`")


def _walk(start: Path, source: Source, root: Path, suffixes: set[str]) -> Iterator[Path]:
    # os.walk does not follow symbolic links, which may lead anywhere.
    for folder, names, files in os.walk(start):
        # Changed in place: os.walk descends into what is left of the list.
        names[:] = sorted(name for name in names if name not in _UNINTERESTING and name[0] not in "._")
        for name in sorted(files):
            file = Path(folder, name)
            path = file.relative_to(root).as_posix()
            left_out = any(fnmatch.fnmatch(path, pattern) for pattern in source.exclude)
            if file.suffix.lower() in suffixes and name[0] != "." and not left_out and not file.is_symlink():
                yield file
