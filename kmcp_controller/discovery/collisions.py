"""Tools of one name on several servers of a namespace: an agent that names both servers gets one of the two. Pure."""

from collections.abc import Iterable

from kmcp_controller.cluster.store import Key

_SHOWN = 3


class Collisions:
    def __init__(self) -> None:
        self._tools: dict[Key, frozenset[str]] = {}
        self._created: dict[Key, str] = {}

    def learn(self, key: Key, created: str, tools: Iterable[str]) -> set[Key]:
        """Take over what a server lists; the other servers for which that is news."""
        before = self._sharing(key)
        self._tools[key], self._created[key] = frozenset(tools), created
        return before ^ self._sharing(key)

    def forget(self, key: Key) -> set[Key]:
        """The other servers for which the end of this one is news."""
        news = self._sharing(key)
        self._tools.pop(key, None)
        self._created.pop(key, None)
        return news

    def of(self, key: Key) -> list[str]:
        """One sentence about all older servers that have tools of the same names: the younger one is warned.

        One, not one for each: of n servers with a tool of one name there would be n² of them.
        """
        older = [each for each in sorted(self._sharing(key)) if self._age(each) < self._age(key)]
        shared = set[str]().union(*(self._tools[key] & self._tools[each] for each in older))
        return [_sentence([each[1] for each in older], sorted(shared))] if older else []

    def _sharing(self, key: Key) -> set[Key]:
        own = self._tools.get(key, frozenset())
        return {each for each, tools in self._tools.items() if each != key and each[0] == key[0] and own & tools}

    def _age(self, key: Key) -> tuple[str, Key]:
        return self._created[key], key


def _sentence(others: list[str], tools: list[str]) -> str:
    has = "has" if len(others) == 1 else "have"
    text = f"{_first(tools)}: MCPServer {_first(others)} {has} tools with the same names"
    return f"{text}; an agent that names both servers gets one of them"


def _first(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
