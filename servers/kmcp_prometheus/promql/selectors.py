"""The small parts of expressions: words, lists of labels, and selectors of series."""

from typing import Any

from kmcp_prometheus.promql import matching
from kmcp_prometheus.promql.lexer import SyntaxFault, Token, unquoted
from kmcp_runtime import ToolFailure

NAME = "__name__"
_OPERATORS = ("=", "!=", "=~", "!~")


class Words:
    """The words of an expression, read one after the other."""

    def __init__(self, query: str, found: list[Token]) -> None:
        self.query = query
        self._tokens = found
        self._next = 0

    @property
    def token(self) -> Token:
        return self._tokens[self._next]

    def take(self) -> Token:
        token = self.token
        self._next += 1
        return token

    def accept(self, sign: str) -> bool:
        found = self.token.kind == "sign" and self.token.text == sign
        self._next += found
        return found

    def is_word(self, *words: str) -> bool:
        return self.token.kind == "name" and self.token.text.lower() in words

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


class Selectors(Words):
    """Selectors and lists of labels."""

    def duration(self, signed: bool = False) -> str:
        sign = "-" if signed and self.accept("-") else ""
        if self.token.kind not in ("duration", "number"):
            raise self.unexpected("a duration (5m)")
        return sign + self.take().text

    def label_list(self) -> list[str]:
        self.expect("(")
        found: list[str] = []
        while not self.accept(")"):
            found.append(self.label())
            if not self.accept(",") and self.token.text != ")":
                raise self.unexpected('"," or ")"')
        return found

    def label(self) -> str:
        if self.token.kind == "string":
            return unquoted(self.take().text)
        if self.token.kind != "name" or ":" in self.token.text:
            raise self.unexpected("a label's name")
        return self.take().text

    def selector(self, name: str) -> dict[str, Any]:
        at = self.token.at
        matchers = self.matchers() if self.token.text == "{" else []
        if name:
            if any(matcher["name"] == NAME for matcher in matchers):
                raise self.fault(f"metric name must not be set twice: {name!r}", at)
            matchers.append({"name": NAME, "value": name, "type": "="})
        if all(matching.holds(matcher, "") for matcher in matchers):
            raise self.fault("vector selector must contain at least one non-empty matcher", at)
        moments = {"offset": 0, "timestamp": None, "startOrEnd": None}
        return {"type": "vectorSelector", "name": name, "matchers": matchers, **moments}

    def matchers(self) -> list[dict[str, Any]]:
        self.expect("{")
        found: list[dict[str, Any]] = []
        while not self.accept("}"):
            found.append(self.matcher())
            if not self.accept(",") and self.token.text != "}":
                raise self.unexpected('"," or "}"')
        return found

    def matcher(self) -> dict[str, Any]:
        is_string = self.token.kind == "string"
        name = self.label()
        if self.token.text not in _OPERATORS:
            if is_string:  # A metric whose name is no plain word: {"http.requests"}
                return {"name": NAME, "value": name, "type": "="}
            raise self.unexpected('"=", "!=", "=~" or "!~"')
        operator = self.take().text
        if self.token.kind != "string":
            raise self.unexpected("a quoted value")
        value = self.take()
        if operator in ("=~", "!~"):
            self.check_expression(unquoted(value.text), name, value.at)
        return {"name": name, "value": unquoted(value.text), "type": operator}

    def check_expression(self, text: str, label: str, at: int) -> None:
        try:
            matching.expression(text, label)
        except ToolFailure as failure:
            raise self.fault(failure.message, at) from None
