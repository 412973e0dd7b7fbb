"""Strict YAML: no anchors, tags or keys that are there twice; every value's line is kept, its type is kubectl's.

A document that nests deeper than 64 levels, or a text that is too large, is refused before it is composed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from kmcp_runtime import yaml_text
from kmcp_runtime.findings import Path

from .faults import Fault, InvalidDocumentError

_DEPTH = 64


@dataclass(frozen=True)
class Document:
    data: Any
    lines: dict[Path, int]


def documents(text: str, where: str = "") -> Iterator[Document]:
    """Each document of `text`, from the file `where`; InvalidDocumentError names the line of what is refused."""
    try:
        _scan(text)
        yaml_text.check(text)
        for node in yaml.compose_all(text, Loader=yaml_text.Loader):
            if node is not None:
                lines: dict[Path, int] = {}
                yield Document(_value(node, (), lines), lines)
    except InvalidDocumentError as error:
        raise InvalidDocumentError(error.faults, error.lines, where) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        fault = Fault((), f"{error.problem or error.context}; correct the YAML")
        raise InvalidDocumentError([fault], {(): mark.line + 1 if mark else 1}, where) from error
    except yaml.reader.ReaderError as error:
        raise InvalidDocumentError([Fault((), f"{error.reason}; remove that character")], where=where) from error


def document(text: str, where: str = "") -> Document:
    """The only document of `text`."""
    found = list(documents(text, where))
    if len(found) != 1:
        raise InvalidDocumentError([Fault((), f"{len(found)} YAML documents; write exactly one")], where=where)
    return found[0]


def _scan(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml_text.Loader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        # Aliases multiply: nine lines can stand for a billion elements, so none is followed in a document to be read.
        tag, anchor = getattr(event, "tag", None), getattr(event, "anchor", None)
        if tag is not None:
            raise _refused((), line, f"tag {tag} is not allowed; write the plain value")
        if anchor is not None:
            raise _refused((), line, f"anchor or alias {anchor} is not allowed; write the value out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEPTH:
            raise _refused((), line, f"nested deeper than {_DEPTH}; write it flatter")


def _refused(path: Path, line: int, text: str) -> InvalidDocumentError:
    return InvalidDocumentError([Fault(path, text)], {path: line})


def _value(node: yaml.Node, path: Path, lines: dict[Path, int]) -> Any:
    lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, lines)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*path, index), lines) for index, item in enumerate(node.value)]
    assert isinstance(node, yaml.ScalarNode)
    return _scalar(node)


def _mapping(node: yaml.MappingNode, path: Path, lines: dict[Path, int]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise _refused(path, line, "a key is a mapping or a list; use text")
        if key.value in values:
            raise _refused((*path, key.value), line, "key given twice; keep one")
        values[key.value] = _value(value, (*path, key.value), lines)
        lines[(*path, key.value)] = line
    return values


def _scalar(node: yaml.ScalarNode) -> Any:
    if node.style:  # quoted, or a block: a text whatever it holds
        return node.value
    try:
        return yaml_text.scalar(node.value)
    except ValueError as error:
        raise _refused((), node.start_mark.line + 1, f"{error}; put it in quotes") from None
