"""The one dialect of YAML: read as kubectl and Helm read it, written so that every reader sees the same values.

Nothing is composed or constructed before the parser's events were counted: an alias counts as much as what it stands
for, so a few lines that unfold to millions of values are refused at once. Errors name the line and the limit.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from kmcp_runtime.yaml_values import RESOLVERS, TAG, Loader, loader, scalar

YamlError = yaml.YAMLError
_UNLIMITED = 1_000_000
_NEXT_LINE = "\x85"

LARGEST_BYTES = 4 * 1024 * 1024
MOST_NODES = 200_000
"""Keys and values of a text together, after its aliases are written out."""
DEEPEST = 128
"""Levels, with every alias written out: whatever walks a value calls itself a few times for each, and Python stops at
1,000 calls."""


class TooLarge(yaml.MarkedYAMLError):
    """A text that is refused before it is constructed; `problem` says by which limit."""


def read(text: str, *, repeated_keys: bool = False, most_nodes: int = MOST_NODES) -> Any:
    """The only document of a text, as JSON data; None when it is empty.

    A key that is there twice is a fault, unless `repeated_keys` lets the last one win, as it does in kubectl and Helm.
    Errors: `YamlError`, whose `problem_mark` names the line; `TooLarge` is one.
    """
    check(text, most_nodes)
    reader = loader(text, repeated_keys=repeated_keys)
    try:
        return reader.get_single_data()
    finally:
        reader.dispose()


def read_all(text: str, *, repeated_keys: bool = False) -> Iterator[Any]:
    """Every document of a text, in its order; see `read`."""
    return (content for _, content in documents(text, repeated_keys=repeated_keys))


def documents(text: str, *, repeated_keys: bool = False) -> Iterator[tuple[int, Any]]:
    """Every document of a text with the line it starts at, counted from 1; see `read`."""
    check(text)
    reader = loader(text, repeated_keys=repeated_keys)
    try:
        while reader.check_node():
            node = reader.get_node()
            yield node.start_mark.line + 1, reader.construct_document(node)
    finally:
        reader.dispose()


def check(text: str, most_nodes: int = MOST_NODES) -> int:
    """Refuse a text that is too large, too deep or unfolds to too much; a pass over its events, nothing is kept.

    Returns how many nodes it has with every alias written out.
    """
    # As many bytes as a reader of indexes may ask for nodes: no node takes less than one.
    largest = max(LARGEST_BYTES, most_nodes * 20)
    if len(text) > largest or len(text.encode(errors="surrogatepass")) > largest:
        raise TooLarge(problem=f"it is larger than {largest >> 20} MiB")
    scan = _Scan(most_nodes)
    try:
        scan.over(text)
    except yaml.MarkedYAMLError as error:
        error.problem_mark = scan.place(error, len(text.rstrip()))
        setattr(error, "document", scan.document)  # noqa: B010  # a field of our own: its class declares none
        raise
    return scan.count


@dataclass
class _Open:
    """A collection that has begun: the count of nodes where it did, and its levels so far."""

    anchor: str | None
    began: int
    mark: Any
    levels: int = 1


class _Scan:
    """Counts the nodes of a text as they would be with every alias written out.

    Events and marks are untyped: libyaml's and Python's have the same fields, and no type in common.
    """

    def __init__(self, most_nodes: int) -> None:
        self.most_nodes = most_nodes
        self.count = 0
        self.document = 1
        """The number of the document that is read, counted from 1."""
        self.sizes: dict[str, tuple[int, int]] = {}
        """Of every anchor: its nodes and its levels."""
        self.open: list[_Open] = []
        """Every collection around the event."""

    def over(self, text: str) -> None:
        for event in yaml.parse(text, Loader=Loader):
            if isinstance(event, yaml.ScalarEvent):
                self._add(1, event)
                if event.anchor:
                    self.sizes[event.anchor] = 1, 0
            elif isinstance(event, yaml.CollectionStartEvent):
                self._begin(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                ended = self.open.pop()
                self._reach(ended.levels, event)
                if ended.anchor:
                    self.sizes[ended.anchor] = self.count - ended.began, ended.levels
            elif isinstance(event, yaml.AliasEvent):
                self._unfold(event)
            elif isinstance(event, yaml.DocumentStartEvent):
                self.sizes.clear()  # An anchor is known in its own document only.
            elif isinstance(event, yaml.DocumentEndEvent):
                self.document += 1

    def place(self, error: yaml.MarkedYAMLError, end: int) -> Any:
        """Where a person should look: an error at the end of the text is about what was not closed before it."""
        begins = [error.problem_mark, error.context_mark, *(each.mark for each in reversed(self.open))]
        return next((mark for mark in begins if mark is not None and mark.index < end), error.problem_mark)

    def _begin(self, event: Any) -> None:
        self._reach(1, event)
        self.open.append(_Open(event.anchor, self.count, event.start_mark))
        self._add(1, event)

    def _unfold(self, event: Any) -> None:
        if any(each.anchor == event.anchor for each in self.open):
            raise TooLarge(problem=f"alias *{event.anchor} stands inside itself", problem_mark=event.start_mark)
        nodes, levels = self.sizes.get(event.anchor, (1, 0))
        self._reach(levels, event)
        self._add(nodes, event)

    def _reach(self, levels: int, event: Any) -> None:
        """There are so many levels below the collection that is open."""
        if len(self.open) + levels > DEEPEST:
            problem = f"it is nested deeper than {DEEPEST} levels (aliases count as what they stand for)"
            raise TooLarge(problem=problem, problem_mark=event.start_mark)
        if self.open:
            self.open[-1].levels = max(self.open[-1].levels, levels + 1)

    def _add(self, nodes: int, event: Any) -> None:
        self.count += nodes
        if self.count > self.most_nodes:
            problem = f"it has more than {self.most_nodes:,} values (aliases count as what they stand for)"
            raise TooLarge(problem=problem, problem_mark=event.start_mark)


def write(content: Any, *, width: int = _UNLIMITED, sort_keys: bool = False) -> str:
    """JSON data as block YAML: keys in their order, a text of several lines as a literal block, no anchors.

    A text that some reader (of YAML 1.1, of 1.2, or kubectl) would take for another type is quoted.
    """
    return yaml.dump(content, Dumper=_Dumper, sort_keys=sort_keys, width=width, allow_unicode=True)


def write_all(documents: Iterable[Any], *, width: int = _UNLIMITED, explicit_start: bool = False) -> str:
    """Several documents, separated by `---`; see `write`."""
    return yaml.dump_all(
        documents, Dumper=_Dumper, sort_keys=False, width=width, allow_unicode=True, explicit_start=explicit_start
    )


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True  # an anchor would only puzzle a reader

    def text(self, data: str) -> yaml.ScalarNode:
        return self.represent_scalar(f"{TAG}str", data, style=_style(data))


def _style(text: str) -> str | None:
    if _NEXT_LINE in text:
        return '"'  # elsewhere it is a line break, which folds
    if "\n" in text:
        return "|"
    return "'" if _is_another_type(text) else None


def _is_another_type(text: str) -> bool:
    try:
        return not isinstance(scalar(text), str)
    except ValueError:
        return True


for _tag, _pattern, _first in RESOLVERS:
    _Dumper.add_implicit_resolver(_tag, _pattern, _first)
_Dumper.add_representer(str, _Dumper.text)
