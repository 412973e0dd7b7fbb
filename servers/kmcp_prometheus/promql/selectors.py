"""The small parts of expressions: words, lists of labels, and selectors of series."""

from typing import Any

from kmcp_prometheus.promql import literals, matching
from kmcp_prometheus.promql.lexer import SyntaxFault, Token, TooDeep
from kmcp_runtime import TooComplex, ToolFailure

NAME = "__name__"
_OPERATORS = ("=", "!=", "=~", "!~")
_NOT_METRICS = frozenset(["bool", "on", "ignoring", "group_left", "group_right", "atan2"])
"""Keywords that no metric can have as its name without quotes; every other one can."""
_NOT_LABELS = frozenset(["without", "inf", "nan"])


class Words:
    """The words of an expression, read one after the other."""

    def __init__(self, query: str, found: list[Token]) -> None:
        self.query = query
        self._tokens = found
        self._next = 0

    @property
    def token(self) -> Token:
        return self._tokens[self._next]

    @property
    def following(self) -> Token:
        return self._tokens[min(self._next + 1, len(self._tokens) - 1)]

    def take(self) -> Token:
        token = self.token
        self._next += 1
        return token

    def is_sign(self, *signs: str) -> bool:
        return self.token.kind == "sign" and self.token.text in signs

    def accept(self, sign: str) -> bool:
        found = self.is_sign(sign)
        self._next += found
        return found

    def is_word(self, *words: str) -> bool:
        return self.token.kind == "name" and self.token.text.lower() in words

    # Keywords are not reserved: `offset`, `by` and most others are also names of metrics and labels.
    def accept_word(self, word: str) -> bool:
        found = self.is_word(word)
        self._next += found
        return found

    def expect(self, sign: str) -> None:
        if not self.accept(sign):
            raise self.unexpected(f'"{sign}"')

    def fault(self, message: str, at: int | None = None) -> SyntaxFault:
        return SyntaxFault(self.query, self.token.at if at is None else at, message)

    def unexpected(self, wanted: str = "") -> SyntaxFault:
        found = f'"{self.token.text}"' if self.token.kind != "end" else "end of input"
        return self.fault(f"unexpected {found}" + (f", expected {wanted}" if wanted else ""))

    def number(self) -> float:
        """The value of the number or duration that is next."""
        token = self.take()
        try:
            return literals.number(token.text)
        except ValueError as error:
            raise self.fault(str(error), token.at) from None

    def string(self) -> str:
        """The value of the string that is next."""
        token = self.take()
        try:
            return literals.unquoted(token.text)
        except ValueError as error:
            raise self.fault(str(error), token.at) from None

    def is_number(self) -> bool:
        return self.token.kind == "number" or self.is_word("inf", "nan")


class Selectors(Words):
    """Selectors and lists of labels."""

    def label_list(self) -> list[str]:
        self.expect("(")
        found: list[str] = []
        while not self.accept(")"):
            found.append(self.grouping_label())
            if not self.accept(",") and not self.is_sign(")"):
                raise self.unexpected('"," or ")"')
        return found

    def grouping_label(self) -> str:
        if self.token.kind == "string":
            at, name = self.token.at, self.string()
            if not name:
                raise self.fault('invalid label name for grouping: ""', at)
            return name
        if self.token.kind != "name" or self.is_word(*_NOT_LABELS):
            raise self.unexpected("a label's name")
        return self.take().text

    def selector(self, name: str, may_be_empty: bool = False) -> dict[str, Any]:
        """What is selected; `may_be_empty` where upstream lets a selector match every series."""
        at = self.token.at
        if name.lower() in _NOT_METRICS:
            raise self.fault(f'unexpected "{name}"', at - len(name))
        matchers = self.matchers() if self.is_sign("{") else []
        if name:
            if any(matcher["name"] == NAME for matcher in matchers):
                raise self.fault(f"metric name must not be set twice: {name!r}", at)
            # Last, as in upstream's tree.
            matchers.append({"name": NAME, "value": name, "type": "="})
        if not may_be_empty and all(_takes_nothing_away(matcher) for matcher in matchers):
            raise self.fault("vector selector must contain at least one non-empty matcher", at)
        moments = {"offset": 0, "offsetExpr": None, "timestamp": None, "startOrEnd": None}
        extended = {"anchored": False, "smoothed": False}
        return {"type": "vectorSelector", "name": name, "matchers": matchers, **moments, **extended}

    def matchers(self) -> list[dict[str, Any]]:
        self.expect("{")
        found: list[dict[str, Any]] = []
        while not self.accept("}"):
            found.append(self.matcher())
            if not self.accept(",") and not self.is_sign("}"):
                raise self.unexpected('"," or "}"')
        return found

    def matcher(self) -> dict[str, Any]:
        is_string = self.token.kind == "string"
        if not is_string and self.token.kind != "name":
            raise self.unexpected("a label's name")
        name = self.string() if is_string else self.take().text
        if not self.is_sign(*_OPERATORS):
            if is_string:  # A metric whose name is not a plain word: {"http.requests"}
                return {"name": NAME, "value": name, "type": "="}
            raise self.unexpected('"=", "!=", "=~" or "!~"')
        operator = self.take().text
        if self.token.kind != "string":
            raise self.unexpected("a quoted value")
        at, value = self.token.at, self.string()
        if operator in ("=~", "!~"):
            self.check_expression(value, name, at)
        return {"name": name, "value": value, "type": operator}

    def check_expression(self, text: str, label: str, at: int) -> None:
        if len(text) > matching.LONGEST_EXPRESSION:
            return  # Longer than this server compiles, which says nothing about what Prometheus does with it.
        try:
            matching.expression(text, label)
        except TooComplex as failure:
            raise TooDeep(self.query, at, failure.message) from None
        except ToolFailure as failure:
            raise self.fault(failure.message, at) from None


def _takes_nothing_away(matcher: dict[str, Any]) -> bool:
    """Whether series without the label fit, so that the matcher alone narrows nothing."""
    return len(matcher["value"]) <= matching.LONGEST_EXPRESSION and matching.holds(matcher, "")
