"""Manifests from the files, folders and standard input that a command line names, as kubectl finds them."""

import codecs
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kmcp_controller.preview.core import core_faults
from kmcp_controller.spec import MCPServer, Platform, RefusedError, is_meant, parse
from kmcp_controller.spec.model import API_VERSION, KIND
from kmcp_controller.spec.remote import REMOTE
from kmcp_runtime import yaml_text
from kmcp_runtime.catalog import Document, Fault, InvalidDocumentError, survey
from kmcp_runtime.catalog.faults import line_of
from kmcp_runtime.kube.manifest_text import json_values

STDIN = "-"
_SUFFIXES = (".json", ".yaml", ".yml")  # what kubectl takes of a folder
_LISTS = ("List", f"{KIND}List")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_MARK = re.compile("^\ufeff", re.MULTILINE)  # an editor may have put one before each of the files that were joined


@dataclass
class Manifests:
    """What the files hold: manifests with the file they are in, and every fault that was found on the way."""

    found: list[tuple[str, Document]] = field(default_factory=list)
    refused: list[InvalidDocumentError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    elsewhere: list[Document] = field(default_factory=list)
    """RemoteMCPServers, where they were asked for."""

    def servers(self, platform: Platform) -> list[MCPServer]:
        """Every manifest that is accepted; the faults of the others join `refused`."""
        servers: list[MCPServer] = []
        places: dict[tuple[str, str], str] = {}
        for where, document in self.found:
            faults = list(document.faults)
            # Of two faults of one place the first is told: YAML's, what `parse` says of it, what a cluster would.
            try:
                server = parse(document.data, platform)
            except RefusedError as error:
                faults += _others(error.faults, faults)
            else:
                key, line = (server.namespace, server.name), line_of(document.lines, ("metadata", "name"))
                if key in places:
                    text = f"{'/'.join(key)} is also in {places[key]}; keep one"
                    faults.append(Fault(("metadata", "name"), text))
                places.setdefault(key, f"{where}:{line}")
                servers.append(server)
            faults += _others(core_faults(document.data), faults)
            if faults:
                self.refused.append(InvalidDocumentError(faults, document.lines, where))
        return servers


def _others(faults: Iterable[Fault], told: Iterable[Fault]) -> list[Fault]:
    places = {fault.path for fault in told}
    return [fault for fault in faults if fault.path not in places]


def read_manifests(names: Iterable[str], recursive: bool = False, elsewhere: bool = False) -> Manifests:
    """What kubectl would read of these files, folders and `-`. Errors: OSError with the name and the next step.

    `elsewhere`: RemoteMCPServers, too, which are passed over otherwise.
    """
    found = Manifests()
    for name in names:
        for where, content in _contents(name, recursive):
            _add(found, where, content, elsewhere)
    return found


def _add(found: Manifests, where: str, content: bytes, elsewhere: bool) -> None:
    try:
        text = _text(content)
        documents = survey(text)
    except InvalidDocumentError as error:
        found.refused.append(InvalidDocumentError(error.faults, error.lines, where))
        return
    if any(each.faults for each in documents) and (values := json_values(text)):
        # JSON has escapes that YAML lacks, and needs nothing between two values.
        documents = [Document(value, {(): text.count("\n", 0, at) + 1}) for at, value in values]
    if not documents:
        found.notes.append(f"{where}: is empty; write an {KIND} of {API_VERSION}")
    for document in (each for whole in documents for each in _members(whole)):
        data = document.data
        if not isinstance(data, dict) or not data.get("kind"):
            fault = Fault((), "is not a mapping; write apiVersion, kind, metadata and spec")
            if isinstance(data, dict):
                fault = Fault(("kind",), f"is required; write {KIND}, and apiVersion: {API_VERSION}")
            faults = document.faults or [fault]
            found.refused.append(InvalidDocumentError(faults, document.lines, where))
        elif is_meant(data["kind"]):
            found.found.append((where, document))
        elif elsewhere and data["kind"] == REMOTE and not document.faults:
            found.elsewhere.append(document)
        else:
            found.notes.append(f"{where}: ignored a document that is not of kind {KIND}")
            if document.faults:
                found.refused.append(InvalidDocumentError(document.faults, document.lines, where))


def _members(document: Document) -> Sequence[Document]:
    """The items of a list, each as if it stood alone; any other document itself."""
    data = document.data
    if not isinstance(data, dict) or data.get("kind") not in _LISTS:
        return [document]
    items = data.get("items")
    if not isinstance(items, list):
        fault = Fault(("items",), "must be a list; write - before each manifest")
        return [Document(None, document.lines, [*document.faults, fault])]
    lines: list[dict[Any, int]] = [{} for _ in items]
    for path, line in document.lines.items():
        if len(path) > 1 and path[0] == "items" and isinstance(path[1], int):
            lines[path[1]][path[2:]] = line
    members = [Document(item, place) for item, place in zip(items, lines, strict=True)]
    rest = list[Fault]()
    for fault in document.faults:
        if len(fault.path) > 1 and isinstance(fault.path[1], int) and fault.path[0] == "items":
            members[fault.path[1]].faults.append(Fault(fault.path[2:], fault.text))
        else:
            rest.append(fault)
    return [*members, *([Document(None, document.lines, rest)] if rest else [])]


def _contents(name: str, recursive: bool) -> Iterator[tuple[str, bytes]]:
    if name == STDIN:
        yield "stdin", sys.stdin.buffer.read(yaml_text.LARGEST_BYTES + 1)
        return
    path = Path(name)
    if "," in name and not path.exists():
        for part in filter(None, name.split(",")):
            yield from _contents(part, recursive)
        return
    if re.match(r"https?://", name):
        raise OSError(f"{name}: is a URL; download it, or pipe it to -f -")
    files = _files(path, recursive) if path.is_dir() else [path]
    for file in files:
        yield str(file), _bytes(file)


def _files(folder: Path, recursive: bool) -> Sequence[Path]:
    listed = folder.rglob("*") if recursive else folder.iterdir()
    files = sorted(file for file in listed if file.suffix in _SUFFIXES and file.is_file())
    if not files:
        more = "" if recursive else ", or use -R for the folders below it"
        raise OSError(f"{folder}: holds no file that ends in {', '.join(_SUFFIXES)}; name another folder{more}")
    return files


def _bytes(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(yaml_text.LARGEST_BYTES + 1)
    except FileNotFoundError:
        raise OSError(f"{file}: there is no such file or folder; check the path") from None
    except OSError as error:
        raise OSError(f"{file}: cannot be read ({error.strerror}); check the path and its permissions") from error
    except ValueError as error:  # a NUL in the name
        raise OSError(f"{str(file)!r}: is not a path ({error}); check it") from None


def _text(content: bytes) -> str:
    """The text of a file. Errors: InvalidDocumentError with the line of the first byte that is not UTF-8."""
    if len(content) > yaml_text.LARGEST_BYTES:
        limit = yaml_text.LARGEST_BYTES >> 20
        raise InvalidDocumentError([Fault((), f"is larger than {limit} MiB; split it")])
    if content.startswith(_UTF16) or b"\0" in content[:2]:
        raise InvalidDocumentError([Fault((), "is UTF-16, which is not read; save it as UTF-8")], {(): 1})
    try:
        return _MARK.sub("", content.decode())
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        text = f"byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise InvalidDocumentError([Fault((), text)], {(): line}) from None


def data_of(manifests: Manifests) -> list[Mapping[str, Any]]:
    """The manifests alone; the first fault is raised."""
    for where, document in manifests.found:
        if document.faults:
            raise InvalidDocumentError(document.faults, document.lines, where)
    for error in manifests.refused:
        raise error
    return [document.data for document in (*(found for _, found in manifests.found), *manifests.elsewhere)]
