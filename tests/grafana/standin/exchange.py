"""One request as a handler sees it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from tests.grafana.standin.identity import Identity
from tests.grafana.standin.state import Organisation, Row, State


@dataclass(frozen=True)
class Exchange:
    state: State
    identity: Identity
    params: dict[str, str]
    query: dict[str, list[str]]
    sent: Any
    headers: dict[str, str]
    version: str

    @property
    def organisation(self) -> Organisation:
        return self.identity.organisation

    @property
    def body(self) -> Row:
        assert isinstance(self.sent, dict)
        return self.sent

    def param(self, name: str) -> str:
        return unquote(self.params[name])

    def number(self, name: str) -> int:
        text = self.param(name)
        return int(text) if text.isdecimal() else -1

    def first(self, name: str, default: str = "") -> str:
        return self.query.get(name, [default])[0]

    def count(self, name: str, default: int) -> int:
        return int(self.first(name, str(default)))


Handler = Callable[[Exchange], tuple[int, Any]]


def page(rows: list[Row], exchange: Exchange, size: str, default: int) -> list[Row]:
    """The page of a list that `page` and a parameter of size ask for."""
    count, number = exchange.count(size, default), exchange.count("page", 1)
    return rows[(number - 1) * count : number * count]


def counted_page(name: str, rows: list[Row], exchange: Exchange) -> Row:
    """A page that says how many there are; `perPage` is what was asked for, however few are left."""
    shown, size = page(rows, exchange, "perpage", 1000), exchange.count("perpage", 1000)
    return {"totalCount": len(rows), name: shown, "page": exchange.count("page", 1), "perPage": size}
