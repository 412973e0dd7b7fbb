"""Schemas of a chart's values: helm would read whatever they refer to, files of this machine and private hosts too."""

import gzip
import io
import re
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import urldefrag

from kmcp_runtime import json_text
from kmcp_runtime.errors import ToolFailure, denied, too_large, unavailable

_FILE = "values.schema.json"
_LARGEST = 100 * 1024 * 1024
"""Bytes that an archive unpacks to, as in helm itself."""
_LARGEST_SCHEMA = 5 * 1024 * 1024
_DEEPEST = 4
"""Archives of dependencies within an archive."""
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef", "$schema")
_DRAFT = re.compile(r"https?://json-schema\.org/(?:schema|draft-0[467]/schema|draft/(?:2019-09|2020-12)/schema)")
"""The published drafts, which helm has built in."""


def check(path: Path) -> None:
    """Refuse a chart (an archive, or a directory) with a schema that refers to anything outside of itself.

    Errors: `denied` names the reference, `too_large`, `unavailable` (not an archive).
    """
    if path.is_dir():
        for each in path.rglob("*"):
            if each.name == _FILE:
                _check_text(each.read_bytes()[: _LARGEST_SCHEMA + 1], str(each.relative_to(path)))
            elif each.suffix == ".tgz" and each.is_file():
                check(each)
        return
    try:
        with path.open("rb") as file:
            for name, content in _schemas(file, path.name, 0):
                _check_text(content, name)
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise unavailable(f"{path.name} is not an archive of a chart: {error}", "check the chart reference") from None


def _schemas(file: IO[bytes], where: str, depth: int) -> Iterator[tuple[str, bytes]]:
    left = _LARGEST
    # Unpacked by gzip, since tarfile does not read the extra field that helm writes into the header.
    with gzip.GzipFile(fileobj=file) as unpacked, tarfile.open(fileobj=unpacked, mode="r|") as archive:
        for member in archive:
            left -= member.size
            if left < 0 or depth > _DEEPEST:
                raise too_large(
                    f"{where} unpacks to more than {_LARGEST >> 20} MiB, or too deeply", "use a smaller chart"
                )
            content = archive.extractfile(member) if member.isfile() else None
            if content is None:
                continue
            if Path(member.name).name == _FILE:
                yield member.name, content.read(_LARGEST_SCHEMA + 1)
            elif member.name.endswith(".tgz"):
                yield from _schemas(io.BytesIO(content.read()), member.name, depth + 1)


def _check_text(content: bytes, name: str) -> None:
    if len(content) > _LARGEST_SCHEMA:
        raise too_large(f"{name} is larger than {_LARGEST_SCHEMA >> 20} MiB", "use a smaller schema")
    try:
        document = json_text.read(content)
    except ValueError:
        return  # Helm says what is wrong with it, and reads nothing else.
    outside = next((found for found in _references(document) if _leads_out(found)), None)
    if outside is not None:
        raise _refusal(name, outside)


def _refusal(name: str, reference: str) -> ToolFailure:
    return denied(
        f"the chart's {name} refers to {reference[:200]!r}, outside of itself",
        "helm would fetch it from wherever it is: put the referenced schema into the file ($defs), or leave it out",
    )


def _references(document: Any) -> Iterator[str]:
    """Every reference, wherever it stands: what a reader takes for a reference depends on the draft."""
    waiting = [document]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield from (node[key] for key in _REFERENCES if isinstance(node.get(key), str))
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def _leads_out(reference: str) -> bool:
    """False for a place in the same file, a published draft, and a name (urn), which is never fetched."""
    base = urldefrag(reference.strip())[0]
    return bool(base) and not base.startswith("urn:") and _DRAFT.fullmatch(base) is None
