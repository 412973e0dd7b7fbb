"""Durations of ranges, steps and offsets, which may be calculated: `[2m + 30s]`, `[step() * 2]`, `offset (5m - 1m)`.

The grammar is Prometheus 3.15's (`duration_expr` and `offset_duration_expr` of `generated_parser.y`); what goes beyond
a literal needs the feature flag `promql-duration-expr` there.
"""

from typing import Any

from kmcp_prometheus.promql import literals
from kmcp_prometheus.promql.lexer import TooDeep
from kmcp_prometheus.promql.selectors import Selectors

Node = dict[str, Any]
DEEPEST = 100
"""Levels of nesting that are followed; Python's own stack ends not far beyond."""
_STRENGTH = {"+": 1, "-": 1, "*": 2, "/": 2, "%": 2, "^": 3}
_SIGNED = 2
"""A sign binds as strongly as a product, here as in other expressions: `-2^2` is -(2^2)."""
_MOMENTS = ("step", "range")
_CHOICES = ("max_of", "min_of")


class Durations(Selectors):
    """Durations of an expression."""

    depth = 0
    _calculations = 0

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise TooDeep(self.query, self.token.at, f"nested more than {DEEPEST} levels deep")

    def length(self) -> tuple[int, Node | None]:
        """A range or a step: milliseconds, or an expression of which Prometheus alone knows the value."""
        at = self.token.at
        node = self.duration_expression(0)
        if is_literal(node) and float(node["val"]) <= 0:
            raise self.fault("duration must be greater than 0", at)
        return _split(node)

    def offset(self) -> tuple[int, Node | None]:
        """An offset, which ends after a literal or a call: `up offset 5m + 1` adds 1 to `up offset 5m`."""
        if not self.is_sign("+", "-"):
            return _split(self.atom() if not self.is_sign("(") else self.duration_expression(0))
        # Upstream's `offset_duration_expr` treats one sign apart from several.
        following = self.following
        if following.kind == "sign" and following.text in ("+", "-"):
            return _split(self.duration_expression(0))
        sign = self.take().text
        return _split(_signed(sign, self.atom()))

    def duration_expression(self, least: int) -> Node:
        self.deeper()
        left = self.operand()
        while self.token.kind == "sign" and (strength := _STRENGTH.get(self.token.text, 0)) > least:
            left = self.calculation(left, strength)
        self.depth -= 1
        return left

    def calculation(self, left: Node, strength: int) -> Node:
        operator = self.take()
        self._calculations += 1
        if self._calculations > DEEPEST:
            raise TooDeep(self.query, operator.at, f"more than {DEEPEST} calculations of durations")
        right = self.duration_expression(strength - 1 if operator.text == "^" else strength)
        if operator.text in "/%" and is_literal(right) and float(right["val"]) == 0:
            kind = "division" if operator.text == "/" else "modulo"
            raise self.fault(f"{kind} by zero", operator.at)
        return _calculated(operator.text, left, right)

    def operand(self) -> Node:
        if self.is_sign("+", "-"):
            return _signed(self.take().text, self.duration_expression(_SIGNED))
        return self.atom()

    def atom(self) -> Node:
        """A literal, a call, or an expression in parentheses."""
        if self.accept("("):
            inner = self.duration_expression(0)
            self.expect(")")
            # A literal keeps its parentheses as an expression: that is how Prometheus writes it back.
            return {**(_calculated("+", None, inner) if is_literal(inner) else inner), "wrapped": True}
        if self.is_word(*_MOMENTS):
            word = self.take().text.lower()
            self.expect("(")
            self.expect(")")
            return _calculated(word, None, None)
        if self.is_word(*_CHOICES):
            word = self.take().text.lower()
            self.expect("(")
            left = self.duration_expression(0)
            self.expect(",")
            right = self.duration_expression(0)
            self.expect(")")
            return _calculated(word, left, right)
        return self.literal()

    def literal(self) -> Node:
        token = self.token
        if not self.is_number():
            raise self.unexpected("number, duration, step(), or range()")
        value = self.number()
        if literals.is_out_of_range(value):
            raise self.fault("duration out of range", token.at)
        is_duration = token.kind == "number" and literals.is_duration(token.text)
        return {"type": "numberLiteral", "val": literals.plain(value), "duration": is_duration}


def is_literal(node: Node) -> bool:
    return bool(node["type"] == "numberLiteral")


def _signed(sign: str, operand: Node) -> Node:
    if is_literal(operand):
        value = float(operand["val"])
        return {**operand, "val": literals.plain(-value if sign == "-" else value)}
    return operand if sign == "+" else _calculated("-", None, operand)


def _calculated(op: str, left: Node | None, right: Node | None) -> Node:
    return {"type": "durationExpr", "op": op, "lhs": left, "rhs": right, "wrapped": False}


def _split(node: Node) -> tuple[int, Node | None]:
    """Milliseconds of a literal, else 0 and the expression: how Prometheus' own tree holds the two."""
    return (literals.milliseconds(float(node["val"])), None) if is_literal(node) else (0, node)
