"""Indexes of repositories as the helm binary reads them: whether one is valid, and which version a range means."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kmcp_runtime import json_text, private_files, versions, yaml_text
from kmcp_runtime.call import Call
from kmcp_runtime.errors import bad_argument, unavailable
from kmcp_runtime.helm.binary import Binary

Entry = Mapping[str, Any]
"""One version of a chart, as the index has it."""
_MOST_NODES = 1_000_000
"""Of the part of an index that is about one chart: the most frequently released charts have thousands of versions."""
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


def entries_of(text: str, chart: str) -> list[Entry]:
    """The entries of one chart in an index, newest first; only its part is parsed, as a whole index can be large.

    Errors: `YamlError` for a text that is neither YAML nor JSON.
    """
    return sorted(_entries_in(text, chart), key=_rank, reverse=True)


def of_version(entries: Sequence[Entry], version: str) -> list[Entry]:
    wanted = version.removeprefix("v")
    return [entry for entry in entries if str(entry.get("version", "")).removeprefix("v") == wanted]


def place_of(entries: Sequence[Entry], version: str) -> str | None:
    """The first URL of a version; None when the index names none."""
    urls = next((entry.get("urls") for entry in entries if str(entry.get("version")) == version), None)
    return str(urls[0]) if isinstance(urls, list) and urls and urls[0] else None


def _entries_in(text: str, chart: str) -> list[Entry]:
    if text.lstrip().startswith("{"):
        try:
            return _of_document(json_text.read(text), chart)
        except ValueError:
            # YAML in braces, which is no JSON.
            return _whole(text, chart)
    # As helm writes an index: charts indented by two spaces below `entries:`.
    start = re.search(rf"^  [\"']?{re.escape(chart)}[\"']?:[ ]*\n", text, re.MULTILINE)
    if start is None:
        return _whole(text, chart) if chart in text else []
    end = re.compile(r"^(?:  )?[^\s-]", re.MULTILINE).search(text, start.end())
    part = text[start.end() : end.start() if end else None]
    return _dicts(yaml_text.read(part, repeated_keys=True, most_nodes=_MOST_NODES))


def _whole(text: str, chart: str) -> list[Entry]:
    """For indexes that are not indented as helm writes them."""
    return _of_document(yaml_text.read(text, repeated_keys=True, most_nodes=_MOST_NODES), chart)


def _of_document(document: Any, chart: str) -> list[Entry]:
    entries = document.get("entries") if isinstance(document, dict) else None
    return _dicts(entries.get(chart) if isinstance(entries, dict) else None)


def _dicts(found: Any) -> list[Entry]:
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def _rank(entry: Entry) -> tuple[bool, Any]:
    """Higher is newer; what is not a version comes last."""
    found = versions.parse(str(entry.get("version", "")))
    return (found is not None, found)
