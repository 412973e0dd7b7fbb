"""Indexes of repositories as the helm binary reads them: whether one is valid, and which version a range means."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kmcp_runtime import private_files, yaml_text
from kmcp_runtime.call import Call
from kmcp_runtime.errors import bad_argument, unavailable
from kmcp_runtime.helm.binary import Binary

_ANY = "*"
_NAME = "searched"


async def read_charts(binary: Binary, call: Call, content: bytes, url: str) -> list[str]:
    """The names of the charts in an index; `unavailable` when helm takes it for none."""
    with binary.home.run() as folder:
        found = await _search(binary, call, _laid(folder, content), ())
    # Helm warns of an index that it cannot read, and finds nothing; it reads any mapping as an index.
    if not found and not re.search(
        rb"^\s*[\"']?(?:entries|apiVersion)[\"']?\s*:|[{,]\s*\"entries\"", content, re.MULTILINE
    ):
        raise unavailable(f"{url} is not a valid chart repository", "check the URL: its index.yaml must be there")
    return sorted({each["name"].partition("/")[2] for each in found})


async def choose(binary: Binary, call: Call, chart: str, versions: Iterable[str], version: str | None) -> str | None:
    """The newest of these versions that is meant: by a range, or without one the newest that is not a pre-release."""
    entries = [{"name": chart, "version": each, "apiVersion": "v2", "urls": ["x"]} for each in versions]
    content = yaml_text.write({"apiVersion": "v1", "entries": {chart: entries}}).encode()
    with binary.home.run() as folder:
        found = await _search(binary, call, _laid(folder, content), (f"--version={version or _ANY}",))
    return next((str(each["version"]) for each in found if each["name"] == f"{_NAME}/{chart}"), None)


def _laid(folder: Path, content: bytes) -> list[str]:
    """Flags for a search in this index alone."""
    private_files.write(folder / f"{_NAME}-index.yaml", content.decode(errors="replace"))
    repositories = {"apiVersion": "", "repositories": [{"name": _NAME, "url": "https://index.invalid"}]}
    config = private_files.write(folder / "repositories.yaml", yaml_text.write(repositories))
    return [f"--repository-config={config}", f"--repository-cache={folder}"]


async def _search(binary: Binary, call: Call, where: list[str], more: tuple[str, ...]) -> list[dict[str, Any]]:
    flags = [*where, *(more or ("--devel",)), "--output=json", "--max-col-width=0"]
    ended = await binary.run(call, ("search", "repo"), (), flags=flags)
    try:
        found: list[dict[str, Any]] = json.loads(ended.stdout or "[]") or []
    except ValueError:
        raise bad_argument(f"helm did not print a list of charts: {ended.stdout[:200]!r}") from None
    return found
