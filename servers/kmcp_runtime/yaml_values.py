"""How YAML's nodes become the values of JSON, as in kubectl and Helm, which read YAML by sigs.k8s.io/yaml.

It is neither YAML 1.1 nor 1.2: `yes` and `n` are booleans and `010` is eight as in 1.1, `0o10` and `1e3` are numbers as
in 1.2, `12:30`, dates and `=` stay texts as in neither. The rules here are those of its goyaml.v2 (resolve.go and
decode.go); a table made by that library is in the tests. A merge (`<<`) replaces what stands before it, and what
follows replaces what it brought in.

No anchor or tag can make an object of Python's: a tag of the document's own (`!Ref`) is passed over, as there, and an
unknown one of YAML's (`!!python/object`) is refused. Nothing here is bounded: `yaml_text` checks a text first.
"""

import base64
import re
import struct
from collections.abc import Iterator
from typing import Any, ClassVar

import yaml

TAG = "tag:yaml.org,2002:"
NUMBER = "tag:kmcp-suite:number"
"""What a plain text resolves to that may be a number; `!!float` is written by somebody."""
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where it was built in: ten times as fast
_LARGEST_INTEGER = 2**64 - 1
_MOST_DIGITS = len(str(_LARGEST_INTEGER))
_FIRST_EXPONENT = 1e21
"""Go writes a float from here on with an exponent, a smaller one that is whole like an integer."""
_TRUE = ("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON")
_FALSE = ("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF")
_NULL = ("", "~", "null", "Null", "NULL")
_NOT_FINITE = re.compile(r"\.(?:nan|NaN|NAN)|[-+]?\.(?:inf|Inf|INF)")
_INTEGER = re.compile(r"([-+]?)(?:0[bB]([01]+)|0[xX]([0-9a-fA-F]+)|0[oO]?([0-7]+)|([1-9][0-9]*|0))|0b([-+][01]+)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_SURROGATES = re.compile("[\udc80-\udcff]")
_SEPARATED = re.compile(r"\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?")
"""After a point Go is strict about what an underscore separates."""
_STARTS_NUMBER = frozenset("+-0123456789")
_ANCHOR = re.compile(r"&[^\s,\[\]{}]+")
_TIMESTAMP = re.compile(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?:(?:[Tt](?=.*(?:Z|[-+][0-9]{2}:[0-9]{2})$)| (?!.*Z))"
    r"([01]?[0-9]|2[0-3]):([0-5]?[0-9]):([0-5]?[0-9])(?:[.,][0-9]+)?(?:Z|[-+][0-9]{2}:[0-9]{2})?)?"
)


def loader(text: str, *, repeated_keys: bool = False) -> "Dialect":
    """What `read` uses, for whoever needs the nodes and their lines; dispose of it. The text has been checked."""
    found: Dialect = (_Slow if _names_an_anchor_twice(text) else Loader)(text)
    found.repeated_keys = repeated_keys
    return found


def _names_an_anchor_twice(text: str) -> bool:
    written = _ANCHOR.findall(text)
    if len(set(written)) == len(written):
        return False
    known: set[str] = set()
    for event in yaml.parse(text, Loader=Loader):
        if isinstance(event, yaml.DocumentStartEvent):
            known.clear()
        elif isinstance(event, yaml.NodeEvent) and event.anchor and not isinstance(event, yaml.AliasEvent):
            if event.anchor in known:
                return True
            known.add(event.anchor)
    return False


def scalar(text: str) -> Any:
    """The value of a plain (unquoted) scalar. Errors: ValueError for an infinity or NaN, which JSON does not have."""
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if text in _NULL:
        return None
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"{text} is not a number that JSON has")
    number = _number(text)
    if isinstance(number, float) and number.is_integer() and abs(number) < _FIRST_EXPONENT:
        return int(number)
    return text if number is None else number


def _number(text: str) -> int | float | None:
    """As Go reads it: a float also where it is whole. None for what is no number."""
    # An underscore separates digits, but cannot come first: `_1` is a text.
    plain = text.replace("_", "") if text[0] in _STARTS_NUMBER or _SEPARATED.fullmatch(text) else text
    integer = _integer(plain) if text[0] in _STARTS_NUMBER else None
    if integer is not None and -(2**63) <= integer <= _LARGEST_INTEGER:
        return integer
    if not _FLOAT.fullmatch(plain):
        return None
    value = float(plain)
    # Too large for a float: Go reads a text then.
    return None if value in (float("inf"), float("-inf")) else value


def _integer(plain: str) -> int | None:
    match = _INTEGER.fullmatch(plain)
    if match is None:
        return None
    sign, binary, hexadecimal, octal, decimal, signed = match.groups()
    if signed:  # Go reads the digits after `0b` by themselves, with a sign of their own
        return int(signed, 2)
    digits, base = next((d, b) for d, b in ((binary, 2), (hexadecimal, 16), (octal, 8), (decimal, 10)) if d)
    if base == 10 and len(digits) > _MOST_DIGITS:
        return None  # too large for Go, and Python refuses to read thousands of them
    return int(sign + digits, base)


def key_text(reader: "Dialect", node: yaml.Node) -> str:
    """A key as JSON has it, a text: `yes` is `true`, `0x11` is `17`, `1e6` is `1e+06`.

    Errors: `YamlError` for a list, a mapping and null.
    """
    if node.tag in (NUMBER, f"{TAG}float") and isinstance(node, yaml.ScalarNode) and node.value:
        not_finite = _NOT_FINITE.fullmatch(node.value)
        number = float(node.value.replace(".", "")) if not_finite else _number(node.value)
        if isinstance(number, float):
            return _float_key(number)
    value = reader.construct_object(node, deep=True)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise yaml.constructor.ConstructorError(None, None, "a key must be a plain text", node.start_mark)


def _float_key(value: float) -> str:
    """As Go writes a float of 32 bits: the fewest digits, and an exponent from a million on."""
    single = _single(value)
    if single != single or abs(single) == float("inf"):
        return ".nan" if single != single else "-.inf" if single < 0 else ".inf"
    digits = next(found for places in range(17) if _single(float(found := f"{single:.{places}e}")) == single)
    mantissa, _, exponent = digits.partition("e")
    if -4 <= int(exponent) < 6:
        return f"{single:.{max(0, len(mantissa.partition('.')[2]) - int(exponent))}f}"
    return f"{mantissa}e{exponent}"


def _single(value: float) -> float:
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


class Dialect:
    """How nodes become values; a mixin of PyYAML's loaders."""

    repeated_keys = False
    """Whether the last of several equal keys wins; else the second one is a fault."""
    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}

    # Of the loaders that it is mixed into, which have no types.
    construct_object: Any
    construct_document: Any
    get_single_data: Any
    check_node: Any
    get_node: Any
    dispose: Any

    def pairs(self, node: yaml.Node) -> Iterator[tuple[yaml.Node, yaml.Node, bool]]:
        """Key, value, and whether `<<` brought them in, in the order in which one replaces another."""
        for key, value in node.value:
            if key.tag == f"{TAG}merge":
                yield from self._merged(value)
            else:
                yield key, value, False

    def _merged(self, value: yaml.Node) -> Iterator[tuple[yaml.Node, yaml.Node, bool]]:
        # The first of a list counts most.
        parts = reversed(value.value) if isinstance(value, yaml.SequenceNode) else [value]
        for part in parts:
            if not isinstance(part, yaml.MappingNode):
                problem = "what << merges must be a mapping, or a list of mappings"
                raise yaml.constructor.ConstructorError(None, None, problem, part.start_mark)
            yield from ((key, each, True) for key, each, _ in self.pairs(part))

    def mapping(self, node: yaml.Node) -> dict[str, Any]:
        content: dict[str, Any] = {}
        seen: set[str] = set()
        for key_node, value_node, merged in self.pairs(node):
            name = key_text(self, key_node)
            if not merged and name in seen and not self.repeated_keys:
                raise yaml.constructor.ConstructorError(None, None, f"key {name!r} is there twice", key_node.start_mark)
            if not merged:
                seen.add(name)
            content[name] = self.construct_object(value_node, deep=True)
        return content

    def plain(self, node: yaml.Node) -> Any:
        if not isinstance(node, yaml.ScalarNode):
            return self.untagged(node)
        try:
            found = scalar(node.value)
        except ValueError as error:
            raise yaml.constructor.ConstructorError(None, None, str(error), node.start_mark) from None
        if node.tag != NUMBER and not _fits(node.tag.removeprefix(TAG), found, node.value):
            raise _misfit(node)
        return found

    def timestamp(self, node: yaml.Node) -> Any:
        if isinstance(node, yaml.ScalarNode) and not _is_timestamp(node.value):
            raise _misfit(node)
        return self.untagged(node)

    def binary(self, node: yaml.Node) -> Any:
        if not isinstance(node, yaml.ScalarNode):
            return self.untagged(node)
        try:
            packed = node.value.replace("\r", "").replace("\n", "")
            # Each byte that is no UTF-8 by itself, as Go writes it.
            return _SURROGATES.sub("\ufffd", base64.b64decode(packed, validate=True).decode(errors="surrogateescape"))
        except ValueError as error:
            problem = f"!!binary is not valid base64: {error}"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from None

    def own_tag(self, node: yaml.Node) -> Any:
        # `!Ref` is passed over as in kubectl; `!!python/…` is an attack or a mistake, and is not taken for a value.
        if node.tag.startswith(TAG):
            problem = f"unknown tag !!{node.tag.removeprefix(TAG)}"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        return self.untagged(node)

    def untagged(self, node: yaml.Node) -> Any:
        """The value alone, whatever its tag."""
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node)
        if isinstance(node, yaml.SequenceNode):
            return [self.construct_object(item, deep=True) for item in node.value]
        return node.value


def _fits(tag: str, found: Any, text: str) -> bool:
    """Whether a value has the type of its tag."""
    if tag in ("bool", "null"):
        return isinstance(found, bool) if tag == "bool" else found is None
    if isinstance(found, bool) or found is None:
        return False
    if tag == "int":
        return isinstance(found, int) and _integer(text.replace("_", "")) is not None
    return isinstance(found, int | float)


def _misfit(node: yaml.Node) -> yaml.YAMLError:
    problem = f"the text is not of the type !!{node.tag.removeprefix(TAG)}"
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _is_timestamp(text: str) -> bool:
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        return False
    year, month, day = (int(match[part]) for part in (1, 2, 3))
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 1 <= month <= 12 and 1 <= day <= _DAYS[month - 1] + (leap and month == 2)


class Loader(Dialect, _Base):  # type: ignore[misc]  # the base is chosen at run time
    """By libyaml where it was built in. For events; `loader` gives the one that reads a text."""


class _Slow(Dialect, yaml.SafeLoader):
    """By Python, for a text that names an anchor twice, which libyaml's composer refuses: the last one counts."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if not isinstance(event, yaml.AliasEvent):
            self.anchors.pop(event.anchor, None)
        return super().compose_node(parent, index)


for _name in ("bool", "int", "float", "null"):
    Loader.add_constructor(TAG + _name, Loader.plain)
for _name in ("map", "seq", "set", "str", "value", "merge", "omap", "pairs"):
    Loader.add_constructor(TAG + _name, Loader.untagged)
Loader.add_constructor(None, Loader.own_tag)
Loader.add_constructor(NUMBER, Loader.plain)
Loader.add_constructor(f"{TAG}binary", Loader.binary)
Loader.add_constructor(f"{TAG}timestamp", Loader.timestamp)

_WORD = re.compile(f"(?:{'|'.join(map(re.escape, (*_TRUE, *_FALSE)))})$")
_NOTHING = re.compile(f"(?:{'|'.join(map(re.escape, _NULL))})$")
# Too wide: the constructor decides.
_LIKE_NUMBER = re.compile(r"[-+.0-9][-+._0-9a-zA-Z]*$")
# A little too wide (`1__` and the like): the writer quotes a text more than it must.
_NUMBER = re.compile(
    rf"(?:{_NOT_FINITE.pattern}|(?:[-+]_*)?0[bBxXoO][0-9a-fA-F_]+"
    r"|(?:[-+]_*)?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9]+)(?:[eE][-+]?[0-9_]+)?)$"
)
RESOLVERS: list[tuple[str, re.Pattern[str], list[str]]] = [
    (f"{TAG}bool", _WORD, list("yYnNtTfFoO")),
    (f"{TAG}null", _NOTHING, ["~", "n", "N", ""]),
    (f"{TAG}float", _NUMBER, list("-+.0123456789")),
    (f"{TAG}merge", re.compile(r"<<$"), ["<"]),
]

for _tag, _pattern, _first in RESOLVERS:
    _is_number = _pattern is _NUMBER
    Loader.add_implicit_resolver(NUMBER if _is_number else _tag, _LIKE_NUMBER if _is_number else _pattern, _first)
_Slow.yaml_constructors, _Slow.yaml_implicit_resolvers = Loader.yaml_constructors, Loader.yaml_implicit_resolvers
