"""YAML with the line of every value, read as kubectl reads it; a document that nests deeper than 64 levels is refused.

A file of the catalog is stricter (`document`): it has no anchors, aliases and tags. A text that is too large, or that
unfolds to too much, is refused before it is composed.
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from kmcp_runtime import yaml_text, yaml_values
from kmcp_runtime.findings import Path

from .faults import Fault, InvalidDocumentError

_DEPTH = 64
_SEPARATOR = re.compile(r"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)  # where kubectl takes a file apart
_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Document:
    data: Any
    lines: dict[Path, int]
    faults: list[Fault] = field(default_factory=list)
    """What could not be read; `data` is the rest. Empty where a function promises to raise them."""


def documents(text: str, where: str = "") -> Iterator[Document]:
    """Each document of `text`, from the file `where`; InvalidDocumentError names the line of what is refused."""
    try:
        yaml_text.check(text)
        found = _Reader(0).read(text)
    except yaml.YAMLError as error:
        raise _unreadable(error, text, 0, where) from error
    for each in found:
        if each.faults:
            raise InvalidDocumentError(each.faults, each.lines, where)
        yield each


def survey(text: str) -> list[Document]:
    """Each document of `text`, with the faults of those that cannot be read: one does not hide the others.

    A text that is too large is one document with one fault.
    """
    found: list[Document] = []
    try:
        if len(text) > yaml_text.LARGEST_BYTES:
            yaml_text.check(text)
        left, line = yaml_text.MOST_NODES, 0
        for piece in _pieces(text):
            try:
                left -= yaml_text.check(piece, left)
                found += _Reader(line).read(piece)
            except yaml_text.TooLarge:
                raise
            except yaml.YAMLError as error:
                found.append(_broken(_unreadable(error, piece, line)))
            line += piece.count("\n")
    except yaml_text.TooLarge as error:
        found.append(_broken(_unreadable(error, text, 0)))
    return found


def document(text: str, where: str = "") -> Document:
    """The only document of `text`; anchors, aliases and tags are refused."""
    try:
        _refuse_references(text)
    except InvalidDocumentError as error:
        raise InvalidDocumentError(error.faults, error.lines, where) from None
    except yaml.YAMLError as error:
        raise _unreadable(error, text, 0, where) from error
    found = list(documents(text, where))
    if len(found) != 1:
        raise InvalidDocumentError([Fault((), f"{len(found)} YAML documents; write exactly one")], where=where)
    return found[0]


def _pieces(text: str) -> Iterator[str]:
    """The text in pieces that begin with a separator: together they are the text."""
    # A piece of directives and comments alone belongs to the document after it.
    if re.search(r"^%", text, re.MULTILINE):
        yield text
        return
    starts = [0, *(match.start() for match in _SEPARATOR.finditer(text) if match.start()), len(text)]
    for start, end in itertools.pairwise(starts):
        yield text[start:end]


def _broken(error: InvalidDocumentError) -> Document:
    return Document(None, dict(error.lines), list(error.faults))


def _unreadable(error: yaml.YAMLError, text: str, above: int, where: str = "") -> InvalidDocumentError:
    """The fault of a text that is not YAML; `above` counts the lines before it in its file."""
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        fault = Fault((), f"{error.reason}; remove that character")
    elif isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        fault = Fault((), f"{error.problem or error.context}; correct the YAML")
    else:
        line, fault = 1, Fault((), f"{error}; correct the YAML")
    return InvalidDocumentError([fault], {(): line + above}, where)


def _refuse_references(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml_values.Loader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        tag, anchor = getattr(event, "tag", None), getattr(event, "anchor", None)
        if tag is not None:
            raise _refused(line, f"tag {tag} is not allowed; write the plain value")
        if anchor is not None:
            raise _refused(line, f"anchor or alias {anchor} is not allowed; write the value out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEPTH:
            raise _refused(line, _too_deep())


def _refused(line: int, text: str) -> InvalidDocumentError:
    return InvalidDocumentError([Fault((), text)], {(): line})


def _too_deep() -> str:
    return f"nested deeper than {_DEPTH}; write it flatter"


class _Reader:
    """Reads the documents of one text; a value that cannot be read is a fault, and its place holds null."""

    def __init__(self, above: int) -> None:
        self._above = above
        self._lines: dict[Path, int] = {}
        self._faults: list[Fault] = []

    def read(self, text: str) -> list[Document]:
        """Errors: `YamlError` for a text that is not YAML."""
        loader, found = yaml_values.loader(text), list[Document]()
        try:
            while loader.check_node():
                node = loader.get_node()
                self._lines, self._faults = {}, []
                content = self._value(loader, node, ())
                found.append(Document(content, self._lines, self._faults))
        finally:
            loader.dispose()
        # Nothing between two separators is no document to kubectl.
        return [each for each in found if each.data is not None or each.faults]

    def _value(self, loader: Any, node: Any, path: Path) -> Any:
        self._lines[path] = node.start_mark.line + 1 + self._above
        # Aliases make a value deeper than its text is.
        if len(path) > _DEPTH:
            return self._fault(path, node, _too_deep())
        try:
            if isinstance(node, yaml.MappingNode) and self._is_plain(loader, node, "map", "set"):
                return self._mapping(loader, node, path)
            if isinstance(node, yaml.SequenceNode) and self._is_plain(loader, node, "seq", "omap", "pairs"):
                return [self._value(loader, item, (*path, index)) for index, item in enumerate(node.value)]
            return loader.construct_object(node)
        except yaml.MarkedYAMLError as error:
            # A number that JSON lacks is a text to whoever wrote it; another fault is one of the YAML itself.
            step = "put it in quotes" if node.tag == yaml_values.NUMBER else "correct the YAML"
            return self._fault(path, node, f"{error.problem or error.context}; {step}")

    def _is_plain(self, loader: Any, node: Any, *names: str) -> bool:
        """The tag says no more than the form, or is one of the document's own, which kubectl passes over."""
        return not node.tag.startswith(_TAG) or node.tag.removeprefix(_TAG) in names

    def _mapping(self, loader: Any, node: Any, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        own: set[str] = set()
        for key, value, merged in loader.pairs(node):
            try:
                name = yaml_values.key_text(loader, key)
            except yaml.MarkedYAMLError as error:
                self._fault((*path, "?"), key, f"{error.problem}; correct the key")
                continue
            if not merged and name in own:
                # The second one's line: the first is what a reader finds by himself.
                self._fault((*path, name), key, "key given twice; keep one")
                continue
            if not merged:
                own.add(name)
            values[name] = self._value(loader, value, (*path, name))
            self._lines[(*path, name)] = key.start_mark.line + 1 + self._above
        return values

    def _fault(self, path: Path, node: Any, text: str) -> None:
        self._lines[path] = node.start_mark.line + 1 + self._above
        self._faults.append(Fault(path, text))
