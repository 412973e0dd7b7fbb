"""A parser of PromQL: the tree that Prometheus' `/parse_query` answers, or what is wrong and where.

It reads queries before they are sent, and judges them where a backend has no parser of its own to ask. It knows the
grammar of Prometheus 3.15 with every experimental part; `docs/decisions/promql-parser.md` says why it is our own.
"""

from typing import Any

from kmcp_prometheus.promql import literals, valuetypes
from kmcp_prometheus.promql.durations import Durations
from kmcp_prometheus.promql.functions import FUNCTIONS, known_names
from kmcp_prometheus.promql.lexer import AGGREGATIONS, SyntaxFault, Token, TooDeep, tokens
from kmcp_prometheus.promql.valuetypes import Typed, typed
from kmcp_runtime import did_you_mean

Node = dict[str, Any]
DEEPEST_TREE = 200
"""Levels of a tree, which a chain `a + b + …` also makes: printing follows them, and Python's stack is short."""
_COMPARISONS = ("==", "!=", "<=", ">=", "<", ">", "</", ">/")
_STRENGTH = {
    "or": 1,
    "and": 2,
    "unless": 2,
    **dict.fromkeys(_COMPARISONS, 3),
    "+": 4,
    "-": 4,
    "*": 5,
    "/": 5,
    "%": 5,
    "atan2": 5,
    "^": 6,
}
_SETS = ("and", "or", "unless")
_CONSTANTS = ("inf", "nan")
_GROUPS = {"group_left": "many-to-one", "group_right": "one-to-many"}
_FILLS = {"fill": ("lhs", "rhs"), "fill_left": ("lhs",), "fill_right": ("rhs",)}
_MOVABLE = ("vectorSelector", "matrixSelector", "subquery")
_FURTHEST_SECONDS = 2.0**63


def parse(query: str) -> Node:
    """The tree of an expression; `SyntaxFault` when it is not one, `TooDeep` (one of them) when that is not known."""
    parser = _Parser(query)
    if parser.token.kind == "end":
        raise parser.fault("no expression found in input", 0)
    node = parser.expression(0)
    if parser.token.kind != "end":
        raise parser.unexpected()
    return node


class _Parser(Durations):
    """Precedence climbing over the words of one expression."""

    def __init__(self, query: str) -> None:
        super().__init__(query, tokens(query))

    def expression(self, least: int) -> Typed:
        self.deeper()
        left = self.unary()
        while (strength := _STRENGTH.get(self.token.text.lower(), 0)) > least and self.token.kind in ("sign", "name"):
            left = self.binary(left, strength)
            if left.levels > DEEPEST_TREE:
                raise TooDeep(self.query, self.token.at, f"a tree of more than {DEEPEST_TREE} levels")
        self.depth -= 1
        return left

    def binary(self, left: Typed, strength: int) -> Typed:
        operator = self.take()
        op = operator.text.lower()
        returns_bool = self.accept_word("bool")
        matching = self.matching(op)
        # `^` is the only operator that binds to the right: 2^3^2 is 2^(3^2).
        right = self.expression(strength - 1 if op == "^" else strength)
        node = {
            "type": "binaryExpr",
            "op": op,
            "lhs": left,
            "rhs": right,
            "matching": matching,
            "bool": returns_bool,
        }
        valuetypes.check_binary(node, lambda message: self.fault(message, operator.at))
        return typed(node)

    def matching(self, op: str) -> Node:
        found: Node = {
            "card": "many-to-many" if op in _SETS else "one-to-one",
            "labels": [],
            "on": False,
            "include": [],
            "fillValues": {"lhs": None, "rhs": None},
        }
        if self.is_word("on", "ignoring"):
            found["on"] = self.take().text.lower() == "on"
            found["labels"] = self.label_list()
            if self.is_word(*_GROUPS):
                found["card"] = _GROUPS[self.take().text.lower()]
                found["include"] = self.label_list() if self.is_sign("(") else []
        self.fill(found["fillValues"])
        return found

    def fill(self, values: Node) -> None:
        """`fill(0)`, or `fill_left(0)` and `fill_right(0)`; the words are metrics where no parenthesis follows."""
        taken: set[str] = set()
        while self.is_word(*_FILLS) and self.following.text == "(":
            word = self.token.text.lower()
            if word in taken or "fill" in taken or (taken and word == "fill"):
                raise self.unexpected()
            taken.add(self.take().text.lower())
            self.expect("(")
            sign = -1 if self.accept("-") else 1
            if sign > 0:
                self.accept("+")
            if not self.is_number():
                raise self.unexpected("a number")
            value = self.number() * sign
            self.expect(")")
            values |= dict.fromkeys(_FILLS[word], value)

    def unary(self) -> Typed:
        if not self.is_sign("+", "-"):
            return self.modified(self.primary())
        sign = self.take()
        # A sign binds as strongly as a product: -1^2 is -(1^2), and -a*b is (-a)*b.
        operand = self.expression(_STRENGTH["*"])
        if operand["type"] == "numberLiteral":
            return typed({**operand, "val": operand["val"] if sign.text == "+" else _negated(operand["val"])})
        if valuetypes.type_of(operand) not in ("scalar", "vector"):
            message = "unary expression only allowed on expressions of type scalar or instant vector"
            raise self.fault(f'{message}, got "{valuetypes.worded(operand)}"', sign.at)
        return typed({"type": "unaryExpr", "op": sign.text, "expr": operand})

    def primary(self) -> Typed:
        token = self.token
        if token.kind == "number":
            return typed({"type": "numberLiteral", "val": literals.plain(self.number())})
        if token.kind == "string":
            return typed({"type": "stringLiteral", "val": self.string()})
        if self.accept("("):
            inner = self.expression(0)
            self.expect(")")
            return typed({"type": "parenExpr", "expr": inner})
        if self.is_sign("{"):
            return typed(self.selector(""))
        if token.kind == "name":
            return self.named()
        raise self.unexpected()

    def named(self) -> Typed:
        """An aggregation, a call, a constant, or a metric."""
        token = self.take()
        word = token.text.lower()
        opened = self.is_sign("(")
        if word in AGGREGATIONS and (opened or self.is_word("by", "without")):
            return self.aggregation(word, token)
        if opened:
            return self.call(token)
        if word in _CONSTANTS:
            return typed({"type": "numberLiteral", "val": literals.plain(literals.number(word))})
        return typed(self.selector(token.text))

    def aggregation(self, op: str, token: Token) -> Typed:
        is_grouped = self.is_word("by", "without")
        grouping, without = self.grouping()
        arguments = self.arguments()
        # Upstream takes `by (…)` before or behind the arguments, but not in both places.
        if not is_grouped:
            grouping, without = self.grouping()
        parameter = valuetypes.check_aggregation(op, arguments, lambda message: self.fault(message, token.at))
        return typed(
            {
                "type": "aggregation",
                "op": op,
                "expr": arguments[-1],
                "param": parameter,
                "grouping": grouping,
                "without": without,
            }
        )

    def grouping(self) -> tuple[list[str], bool]:
        if not self.is_word("by", "without"):
            return [], False
        without = self.take().text.lower() == "without"
        return self.label_list(), without

    def call(self, token: Token) -> Typed:
        # Functions are case-sensitive, unlike aggregations and other keywords.
        function = FUNCTIONS.get(token.text)
        if function is None:
            hint = did_you_mean(token.text, known_names())
            raise self.fault(f"unknown function with name {token.text!r}" + (f", {hint}" if hint else ""), token.at)
        arguments = self.arguments(selects_labels=function.name == "info")
        valuetypes.check_call(function, arguments, lambda message: self.fault(message, token.at))
        signature = {
            "name": function.name,
            "argTypes": list(function.arguments),
            "variadic": function.variadic,
            "returnType": function.returns,
        }
        return typed({"type": "call", "func": signature, "args": arguments})

    def arguments(self, selects_labels: bool = False) -> list[Node]:
        """What stands between parentheses; the second of `info` may select every series."""
        self.expect("(")
        found: list[Node] = []
        if self.accept(")"):
            return found
        while True:
            if selects_labels and found and self.is_sign("{"):
                found.append(typed(self.selector("", may_be_empty=True)))
            else:
                found.append(self.expression(0))
            if not self.accept(","):
                break
        self.expect(")")
        return found

    def modified(self, node: Typed) -> Typed:
        """The ranges, offsets and other modifiers behind an expression."""
        while True:
            at = self.token.at
            if self.is_sign("["):
                node = self.ranged(node)
            elif self.accept_word("offset"):
                self.check_movable(node, "offset", node.get("offset") or node.get("offsetExpr"), at)
                node["offset"], node["offsetExpr"] = self.offset()
            elif self.accept("@"):
                is_set = node.get("timestamp") is not None or node.get("startOrEnd")
                self.check_movable(node, "@", is_set, at)
                self.pinned(node)
            elif self.is_word("anchored", "smoothed"):
                self.extended(node)
            else:
                return node

    def ranged(self, node: Typed) -> Typed:
        opening = self.take()
        length, expression = self.length()
        if self.accept(":"):
            step, step_expression = (0, None) if self.is_sign("]") else self.length()
            self.expect("]")
            valuetypes.check_subquery(node, lambda message: self.fault(message, opening.at))
            moments = {"offset": 0, "offsetExpr": None, "timestamp": None, "startOrEnd": None}
            lengths = {"range": length, "rangeExpr": expression, "step": step, "stepExpr": step_expression}
            return typed({"type": "subquery", "expr": node, **lengths, **moments})
        self.expect("]")
        if node["type"] != "vectorSelector":
            raise self.fault("ranges only allowed for vector selectors", opening.at)
        if node["offset"] or node["offsetExpr"]:
            raise self.fault("no offset modifiers allowed before range", opening.at)
        if node["timestamp"] is not None or node["startOrEnd"]:
            raise self.fault("no @ modifiers allowed before range", opening.at)
        return typed({**node, "type": "matrixSelector", "range": length, "rangeExpr": expression})

    def check_movable(self, node: Node, what: str, is_set: Any, at: int) -> None:
        if node["type"] not in _MOVABLE:
            message = "modifier must be preceded by an instant vector selector or range vector selector or a subquery"
            raise self.fault(f"{what} {message}", at)
        if is_set:
            raise self.fault(f"{what} may not be set multiple times", at)

    def extended(self, node: Node) -> None:
        """`anchored` or `smoothed`, which look at samples beyond the ends of a range."""
        word = self.take()
        kind = word.text.lower()
        if node["type"] == "subquery":
            raise self.fault(f"{kind} modifier is not supported for subqueries", word.at)
        if node["type"] not in _MOVABLE:
            raise self.fault(f"{kind} modifier not implemented", word.at)
        node[kind] = True
        if node["anchored"] and node["smoothed"]:
            raise self.fault("anchored and smoothed modifiers cannot be used together", word.at)

    def pinned(self, node: Node) -> None:
        if self.is_word("start", "end"):
            node["startOrEnd"] = self.take().text.lower()
            self.expect("(")
            self.expect(")")
            return
        sign = -1 if self.accept("-") else 1
        if sign > 0:
            self.accept("+")
        at = self.token.at
        if not self.is_number():
            raise self.unexpected("a timestamp")
        seconds = sign * self.number()
        if not abs(seconds) < _FURTHEST_SECONDS:  # NaN is not less, either.
            raise self.fault(f"timestamp out of bounds for @ modifier: {seconds:f}", at)
        # Milliseconds, as in upstream's tree.
        node["timestamp"] = literals.milliseconds(seconds)


def _negated(value: str) -> str:
    return value[1:] if value.startswith("-") else f"-{value.removeprefix('+')}"


__all__ = ["DEEPEST_TREE", "Node", "SyntaxFault", "TooDeep", "parse"]
