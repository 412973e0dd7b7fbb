"""A parser of PromQL: the tree that Prometheus' `/parse_query` answers, or what is wrong and where.

It is used where a backend has no such endpoint, and to look at queries before they are sent. Experimental syntax
(duration expressions, fill modifiers) is left to the backend.
"""

from typing import Any

from kmcp_prometheus.promql import valuetypes
from kmcp_prometheus.promql.functions import FUNCTIONS, known_names
from kmcp_prometheus.promql.lexer import AGGREGATIONS, SyntaxFault, Token, tokens, unquoted
from kmcp_prometheus.promql.numbers import milliseconds, number
from kmcp_prometheus.promql.selectors import Selectors
from kmcp_runtime import did_you_mean

Node = dict[str, Any]
DEEPEST = 100
_COMPARISONS = ("==", "!=", "<=", ">=", "<", ">")
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


def parse(query: str) -> Node:
    """The tree of an expression; `SyntaxFault` when it is none."""
    parser = _Parser(query)
    if parser.token.kind == "end":
        raise parser.fault("no expression found in input", 0)
    node = parser.expression(0)
    if parser.token.kind != "end":
        raise parser.unexpected()
    return node


class _Parser(Selectors):
    """Precedence climbing over the words of one expression."""

    def __init__(self, query: str) -> None:
        super().__init__(query, tokens(query))
        self._depth = 0

    def expression(self, least: int) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self.fault("the expression is nested too deeply")
        left = self.unary()
        while (strength := _STRENGTH.get(self.token.text.lower(), 0)) > least and self.token.kind in ("sign", "name"):
            left = self.binary(left, strength)
        self._depth -= 1
        return left

    def binary(self, left: Node, strength: int) -> Node:
        operator = self.take()
        op = operator.text.lower()
        returns_bool = self.accept_word("bool")
        matching = self.matching(op)
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
        return node

    def matching(self, op: str) -> Node:
        found: Node = {
            "card": "many-to-many" if op in _SETS else "one-to-one",
            "labels": [],
            "on": False,
            "include": [],
        }
        if self.is_word("on", "ignoring"):
            found["on"] = self.take().text.lower() == "on"
            found["labels"] = self.label_list()
            if self.is_word(*_GROUPS):
                found["card"] = _GROUPS[self.take().text.lower()]
                found["include"] = self.label_list() if self.token.text == "(" else []
        return found

    def unary(self) -> Node:
        if self.token.text not in ("+", "-") or self.token.kind != "sign":
            return self.modified(self.primary())
        sign = self.take()
        # A sign binds as strongly as a product: -1^2 is -(1^2), and -a*b is (-a)*b.
        operand = self.expression(_STRENGTH["*"])
        if operand["type"] == "numberLiteral":
            return {**operand, "val": operand["val"] if sign.text == "+" else _negated(operand["val"])}
        if valuetypes.type_of(operand) not in ("scalar", "vector"):
            told = "unary expression only allowed on expressions of type scalar or instant vector"
            raise self.fault(f"{told}, got {valuetypes.worded(operand)}", sign.at)
        return {"type": "unaryExpr", "op": sign.text, "expr": operand}

    def primary(self) -> Node:
        token = self.token
        if token.kind in ("number", "duration"):
            return {"type": "numberLiteral", "val": number(self.take().text)}
        if token.kind == "string":
            return {"type": "stringLiteral", "val": unquoted(self.take().text)}
        if token.text == "(":
            self.take()
            inner = self.expression(0)
            self.expect(")")
            return {"type": "parenExpr", "expr": inner}
        if token.text == "{":
            return self.selector("")
        if token.kind == "name":
            return self.named()
        raise self.unexpected()

    def named(self) -> Node:
        """An aggregation, a call, a constant, or a metric."""
        token = self.take()
        word = token.text.lower()
        opened = self.token.text == "("
        if word in AGGREGATIONS and (opened or self.is_word("by", "without")):
            return self.aggregation(word, token)
        if opened:
            return self.call(token)
        if word in _CONSTANTS:
            return {"type": "numberLiteral", "val": number(word)}
        return self.selector(token.text)

    def aggregation(self, op: str, token: Token) -> Node:
        grouping, without = self.grouping()
        arguments = self.arguments()
        if not grouping and not without:
            grouping, without = self.grouping()
        parameter = valuetypes.check_aggregation(op, arguments, lambda message: self.fault(message, token.at))
        return {
            "type": "aggregation",
            "op": op,
            "expr": arguments[-1],
            "param": parameter,
            "grouping": grouping,
            "without": without,
        }

    def grouping(self) -> tuple[list[str], bool]:
        if not self.is_word("by", "without"):
            return [], False
        without = self.take().text.lower() == "without"
        return self.label_list(), without

    def call(self, token: Token) -> Node:
        function = FUNCTIONS.get(token.text)
        if function is None:
            hint = did_you_mean(token.text, known_names())
            raise self.fault(f"unknown function with name {token.text!r}" + (f", {hint}" if hint else ""), token.at)
        arguments = self.arguments()
        valuetypes.check_call(function, arguments, lambda message: self.fault(message, token.at))
        signature = {
            "name": function.name,
            "argTypes": list(function.arguments),
            "variadic": function.variadic,
            "returnType": function.returns,
        }
        return {"type": "call", "func": signature, "args": arguments}

    def arguments(self) -> list[Node]:
        self.expect("(")
        found: list[Node] = []
        while self.token.text != ")" or self.token.kind != "sign":
            found.append(self.expression(0))
            if not self.accept(","):
                break
        self.expect(")")
        return found

    def modified(self, node: Node) -> Node:
        """The ranges, offsets and `@` behind an expression."""
        moved: set[str] = set()
        while True:
            at = self.token.at
            if self.token.text == "[":
                node = self.ranged(node)
                moved = set()
            elif self.accept_word("offset"):
                self.check_moved(node, "offset", moved, at)
                node["offset"] = milliseconds(self.duration(signed=True))
            elif self.accept("@"):
                self.check_moved(node, "@", moved, at)
                self.pinned(node)
            else:
                return node

    def ranged(self, node: Node) -> Node:
        opening = self.take()
        length = milliseconds(self.duration())
        if self.accept(":"):
            step = 0 if self.token.text == "]" else milliseconds(self.duration())
            self.expect("]")
            valuetypes.check_subquery(node, lambda message: self.fault(message, opening.at))
            moments = {"offset": 0, "timestamp": None, "startOrEnd": None}
            return {"type": "subquery", "expr": node, "range": length, "step": step, **moments}
        self.expect("]")
        if node["type"] != "vectorSelector":
            raise self.fault("ranges only allowed for vector selectors", opening.at)
        return {**node, "type": "matrixSelector", "range": length}

    def check_moved(self, node: Node, what: str, moved: set[str], at: int) -> None:
        if node["type"] not in ("vectorSelector", "matrixSelector", "subquery"):
            told = "modifier must be preceded by an instant vector selector or range vector selector or a subquery"
            raise self.fault(f"{what} {told}", at)
        if what in moved:
            raise self.fault(f"{what} may not be set multiple times", at)
        moved.add(what)

    def pinned(self, node: Node) -> None:
        if self.is_word("start", "end"):
            node["startOrEnd"] = self.take().text.lower()
            self.expect("(")
            self.expect(")")
            return
        sign = -1 if self.accept("-") else 1
        if self.token.kind != "number":
            raise self.unexpected("a timestamp")
        node["timestamp"] = int(sign * float(number(self.take().text)) * 1000)


def _negated(value: str) -> str:
    return value[1:] if value.startswith("-") else f"-{value.removeprefix('+')}"


__all__ = ["DEEPEST", "Node", "SyntaxFault", "parse"]
