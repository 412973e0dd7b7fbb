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
        return news

    def of(self, key: Key) -> list[str]:
        """A sentence for each older server that has tools of the same names: the younger one is warned."""
        older = [each for each in sorted(self._sharing(key)) if self._age(each) < self._age(key)]
        return [_sentence(each[1], sorted(self._tools[key] & self._tools[each])) for each in older]

    def _sharing(self, key: Key) -> set[Key]:
        own = self._tools.get(key, frozenset())
        return {each for each, tools in self._tools.items() if each != key and each[0] == key[0] and own & tools}

    def _age(self, key: Key) -> tuple[str, Key]:
        return self._created[key], key


def _sentence(other: str, tools: list[str]) -> str:
    shown = ", ".join(tools[:_SHOWN]) + (f" and {len(tools) - _SHOWN} more" if len(tools) > _SHOWN else "")
    return (
        f"{shown}: MCPServer {other} has tools with the same names; an agent that names both servers gets one of them"
    )
