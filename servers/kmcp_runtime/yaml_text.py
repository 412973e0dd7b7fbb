"""The one dialect of YAML: read as kubectl and Helm read it, written so that every reader sees the same values.

kubectl, Helm and the API machinery read YAML by sigs.k8s.io/yaml. It is neither YAML 1.1 nor 1.2: `yes` and `n` are
booleans and `010` is eight as in 1.1, `0o10` and `1e3` are numbers as in 1.2, `12:30`, dates and `=` stay texts as in
neither. The rules here are those of its goyaml.v2 (resolve.go); a table made by that library is in the tests.

No anchor or tag can make an object of Python's: a tag of the document's own (`!Ref`) is passed over, as there, and an
unknown one of YAML's (`!!python/object`) is refused.

Nothing is composed or constructed before the parser's events were counted: an alias counts as much as what it stands
for, so a few lines that unfold to millions of values are refused at once. Errors name the line and the limit.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import yaml

YamlError = yaml.YAMLError
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where it was built in: ten times as fast
_TAG = "tag:yaml.org,2002:"
_LARGEST_INTEGER = 2**64 - 1
_FIRST_EXPONENT = 1e21
"""Go writes a float from here on with an exponent, a smaller one that is whole like an integer."""
_UNLIMITED = 1_000_000

LARGEST_BYTES = 4 * 1024 * 1024
MOST_NODES = 200_000
"""Keys and values of a text together, after its aliases are written out."""
DEEPEST = 128
"""Levels: whatever walks a value calls itself a few times for each, and Python stops at 1,000 calls."""

_TRUE = ("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON")
_FALSE = ("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF")
_NULL = ("", "~", "null", "Null", "NULL")
_NOT_FINITE = re.compile(r"\.(?:nan|NaN|NAN)|[-+]?\.(?:inf|Inf|INF)")
_INTEGER = re.compile(r"([-+]?)(?:0[bB]([01]+)|0[xX]([0-9a-fA-F]+)|0[oO]?([0-7]+)|([1-9][0-9]*|0))")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_STARTS_NUMBER = frozenset("+-0123456789")


class TooLarge(yaml.MarkedYAMLError):
    """A text that is refused before it is constructed; `problem` says by which limit."""


def read(text: str, *, repeated_keys: bool = False, most_nodes: int = MOST_NODES) -> Any:
    """The only document of a text, as JSON data; None when it is empty.

    A key that is there twice is a fault, unless `repeated_keys` lets the last one win, as it does in kubectl and Helm.
    Errors: `YamlError`, whose `problem_mark` names the line; `TooLarge` is one.
    """
    check(text, most_nodes)
    return yaml.load(text, LastKeyLoader if repeated_keys else Loader)  # noqa: S506  # both are safe loaders


def read_all(text: str, *, repeated_keys: bool = False) -> Iterator[Any]:
    """Every document of a text, in its order; see `read`."""
    return (content for _, content in documents(text, repeated_keys=repeated_keys))


def documents(text: str, *, repeated_keys: bool = False) -> Iterator[tuple[int, Any]]:
    """Every document of a text with the line it starts at, counted from 1; see `read`."""
    check(text)
    loader = (LastKeyLoader if repeated_keys else Loader)(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            yield node.start_mark.line + 1, loader.construct_document(node)
    finally:
        loader.dispose()


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


class _Scan:
    """Counts the nodes of a text as they would be with every alias written out.

    Events and marks are untyped: libyaml's and Python's have the same fields, and no type in common.
    """

    def __init__(self, most_nodes: int) -> None:
        self.most_nodes = most_nodes
        self.count = 0
        self.document = 1
        """The number of the document that is read, counted from 1."""
        self.sizes: dict[str, int] = {}
        self.open: list[tuple[str | None, int, Any]] = []
        """Of every collection around the event: its anchor, the count where it began, and its place."""

    def over(self, text: str) -> None:
        for event in yaml.parse(text, Loader=Loader):
            if isinstance(event, yaml.ScalarEvent):
                self._add(1, event)
                if event.anchor:
                    self.sizes[event.anchor] = 1
            elif isinstance(event, yaml.CollectionStartEvent):
                self._begin(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                anchor, began, _ = self.open.pop()
                if anchor:
                    self.sizes[anchor] = self.count - began
            elif isinstance(event, yaml.AliasEvent):
                self._unfold(event)
            elif isinstance(event, yaml.DocumentStartEvent):
                self.sizes.clear()  # An anchor is known in its own document only.
            elif isinstance(event, yaml.DocumentEndEvent):
                self.document += 1

    def place(self, error: yaml.MarkedYAMLError, end: int) -> Any:
        """Where a person should look: an error at the end of the text is about what was not closed before it."""
        begins = [error.problem_mark, error.context_mark, *(mark for *_, mark in reversed(self.open))]
        return next((mark for mark in begins if mark is not None and mark.index < end), error.problem_mark)

    def _begin(self, event: Any) -> None:
        self.open.append((event.anchor, self.count, event.start_mark))
        if len(self.open) > DEEPEST:
            raise TooLarge(problem=f"it is nested deeper than {DEEPEST} levels", problem_mark=event.start_mark)
        self._add(1, event)

    def _unfold(self, event: Any) -> None:
        if any(anchor == event.anchor for anchor, *_ in self.open):
            raise TooLarge(problem=f"alias *{event.anchor} stands inside itself", problem_mark=event.start_mark)
        self._add(self.sizes.get(event.anchor, 1), event)

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


def scalar(text: str) -> Any:
    """The value of a plain (unquoted) scalar. Errors: ValueError for an infinity or NaN, which JSON does not have."""
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if text in _NULL:
        return None
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"{text} is not a number that JSON has")
    number = _number(text)
    return text if number is None else number


def _number(text: str) -> int | float | None:
    # An underscore separates digits, but cannot come first: `_1` is a text.
    plain = text.replace("_", "") if text[0] in _STARTS_NUMBER else text
    integer = _integer(plain) if text[0] in _STARTS_NUMBER else None
    if integer is not None and -(2**63) <= integer <= _LARGEST_INTEGER:
        return integer
    if not _FLOAT.fullmatch(plain):
        return None
    value = float(plain)
    if value in (float("inf"), float("-inf")):  # too large for a float: Go reads a text then
        return None
    return int(value) if value.is_integer() and abs(value) < _FIRST_EXPONENT else value


def _integer(plain: str) -> int | None:
    match = _INTEGER.fullmatch(plain)
    if match is None:
        return None
    sign, binary, hexadecimal, octal, decimal = match.groups()
    digits, base = next((d, b) for d, b in ((binary, 2), (hexadecimal, 16), (octal, 8), (decimal, 10)) if d)
    return int(sign + digits, base)


def key_text(node: yaml.Node, value: Any) -> str:
    """A key as JSON has it, a text: `yes` is `true` and `0x11` is `17`.

    Errors: `YamlError` for a list, a mapping and null.
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise yaml.constructor.ConstructorError(None, None, "a key must be a plain text", node.start_mark)


class Loader(_Base):  # type: ignore[misc]  # the base is chosen at run time
    """What `read` uses, for whoever needs the nodes and their lines; a key that is there twice is a fault."""

    repeated_keys: ClassVar[bool] = False
    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}

    def pairs(self, node: yaml.Node) -> Iterator[tuple[yaml.Node, yaml.Node, bool]]:
        """Key, value, and whether `<<` brought them in: these come first, a key of the mapping itself replaces one."""
        if not isinstance(node, yaml.MappingNode):
            raise yaml.constructor.ConstructorError(None, None, "expected a mapping", node.start_mark)
        own = len(node.value) - sum(key.tag == f"{_TAG}merge" for key, _ in node.value)
        self.flatten_mapping(node)
        merged = len(node.value) - own
        return ((key, value, position < merged) for position, (key, value) in enumerate(node.value))

    def mapping(self, node: yaml.Node) -> dict[str, Any]:
        content: dict[str, Any] = {}
        seen: set[str] = set()
        for key_node, value_node, merged in self.pairs(node):
            name = key_text(key_node, self.construct_object(key_node, deep=True))
            if name in seen and not self.repeated_keys:
                raise yaml.constructor.ConstructorError(None, None, f"key {name!r} is there twice", key_node.start_mark)
            if not merged:
                seen.add(name)
            content[name] = self.construct_object(value_node, deep=True)
        return content

    def plain(self, node: yaml.ScalarNode) -> Any:
        try:
            found = scalar(node.value)
        except ValueError as error:
            raise yaml.constructor.ConstructorError(None, None, str(error), node.start_mark) from None
        if isinstance(found, str) and not _NUMBER.match(node.value):  # a tag that the text does not fit
            problem = f"the text is not of the type !!{node.tag.removeprefix(_TAG)}"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        return found

    def binary(self, node: yaml.ScalarNode) -> str:
        try:
            return base64.b64decode("".join(node.value.split()), validate=True).decode(errors="replace")
        except binascii.Error as error:
            problem = f"!!binary is not valid base64: {error}"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from None

    def own_tag(self, node: yaml.Node) -> Any:
        # `!Ref` is passed over as in kubectl; `!!python/…` is an attack or a mistake, and is not taken for a value.
        if node.tag.startswith(_TAG):
            problem = f"unknown tag !!{node.tag.removeprefix(_TAG)}"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        return self.untagged(node)

    def untagged(self, node: yaml.Node) -> Any:
        """The value alone, whatever its tag."""
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node)
        if isinstance(node, yaml.SequenceNode):
            return [self.construct_object(item, deep=True) for item in node.value]
        return node.value


class LastKeyLoader(Loader):
    """The last of several equal keys wins."""

    repeated_keys: ClassVar[bool] = True


_PLAIN = ("bool", "int", "float", "null")
for _name in _PLAIN:
    Loader.add_constructor(_TAG + _name, Loader.plain)
for _name in ("map", "set"):
    Loader.add_constructor(_TAG + _name, Loader.mapping)
for _name in ("timestamp", "value", "merge", "omap", "pairs"):
    Loader.add_constructor(_TAG + _name, Loader.untagged)
Loader.add_constructor(None, Loader.own_tag)
Loader.add_constructor(f"{_TAG}binary", Loader.binary)

_WORD = re.compile(f"(?:{'|'.join(map(re.escape, (*_TRUE, *_FALSE)))})$")
_NOTHING = re.compile(f"(?:{'|'.join(map(re.escape, _NULL))})$")
# A little too wide (`1__` and the like): the constructor decides, and the writer quotes a text more than it must.
_NUMBER = re.compile(
    rf"(?:{_NOT_FINITE.pattern}|(?:[-+]_*)?0[bBxXoO][0-9a-fA-F_]+"
    r"|(?:[-+]_*)?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9]+)(?:[eE][-+]?[0-9_]+)?)$"
)
_RESOLVERS: list[tuple[str, re.Pattern[str], list[str]]] = [
    (f"{_TAG}bool", _WORD, list("yYnNtTfFoO")),
    (f"{_TAG}null", _NOTHING, ["~", "n", "N", ""]),
    (f"{_TAG}float", _NUMBER, list("-+.0123456789")),
    (f"{_TAG}merge", re.compile(r"<<$"), ["<"]),
]


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True  # an anchor would only puzzle a reader

    def text(self, data: str) -> yaml.ScalarNode:
        return self.represent_scalar(f"{_TAG}str", data, style="|" if "\n" in data else None)


for _tag, _pattern, _first in _RESOLVERS:
    Loader.add_implicit_resolver(_tag, _pattern, _first)
    _Dumper.add_implicit_resolver(_tag, _pattern, _first)
_Dumper.add_representer(str, _Dumper.text)
