"""Strict YAML: core types of YAML 1.2, no anchors, tags or duplicate keys; every value's line is kept.

A document that nests deeper than 64 levels is refused before it is composed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import yaml

from .faults import Fault, InvalidDocumentError, Path

_DEPTH = 64
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where it was built in: ten times as fast


@dataclass(frozen=True)
class Document:
    data: Any
    lines: dict[Path, int]


CORE_TYPES = [
    (f"tag:yaml.org,2002:{tag}", re.compile(pattern), first)
    for tag, pattern, first in (
        ("null", r"(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
        ("bool", r"(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
        ("int", r"(?:[-+]?[0-9]{1,20}|0o[0-7]{1,20}|0x[0-9a-fA-F]{1,16})$", list("-+0123456789")),
        ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", list("-+.0123456789")),
    )
]


class _CoreLoader(_Base):  # type: ignore[misc]  # the base is chosen at run time
    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}


for _tag, _pattern, _first in CORE_TYPES:
    _CoreLoader.add_implicit_resolver(_tag, _pattern, _first)


def documents(text: str, where: str = "") -> Iterator[Document]:
    """Each document of `text`, from the file `where`; InvalidDocumentError names the line of what is refused."""
    try:
        _scan(text)
        for node in yaml.compose_all(text, Loader=_CoreLoader):
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
    for event in yaml.parse(text, Loader=_CoreLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        tag, anchor = getattr(event, "tag", None), getattr(event, "anchor", None)
        if tag is not None:
            raise _refused((), line, f"tag {tag}; write the plain value")
        if anchor is not None:
            raise _refused((), line, f"anchor or alias {anchor}; write the value out")
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
    return _scalar(node.tag.rpartition(":")[2], node.value)


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


def _scalar(kind: str, text: str) -> Any:
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind == "int":
        return int(text, 0) if text[:2] in ("0x", "0o") else int(text)
    if kind == "float":
        return float(text)
    return text
