"""Answers of many nodes, with the nodes that did not answer."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, Field

from kmcp_runtime import Page, Result, ToolFailure

Answer = TypeVar("Answer")
Item = TypeVar("Item")


class Unreachable(BaseModel):
    """A node whose agent did not answer, and the reason."""

    node: str
    code: str
    message: str


@dataclass
class Answers(Generic[Answer]):
    """Answers by node, in the order of the nodes."""

    by_node: Mapping[str, Answer]
    failures: Mapping[str, ToolFailure] = field(default_factory=dict)

    def __iter__(self) -> Iterator[tuple[str, Answer]]:
        return iter(self.by_node.items())

    @property
    def first_failure(self) -> ToolFailure:
        return self.failures[min(self.failures)]

    @property
    def unreachable(self) -> list[Unreachable] | None:
        found = [
            Unreachable(node=node, code=failure.code, message=failure.message)
            # Sorted, so that two calls about the same nodes give the same answer.
            for node, failure in sorted(self.failures.items())
        ]
        return found or None


class Spread(Result):
    """A result with contributions from several nodes."""

    unreachable: list[Unreachable] | None = Field(default=None, description="Nodes that did not answer")


class SpreadPage(Page[Item], Generic[Item]):
    """A list with contributions from several nodes."""

    unreachable: list[Unreachable] | None = Field(default=None, description="Nodes that did not answer")

    def model_post_init(self, context: Any, /) -> None:
        super().model_post_init(context)
        if self.unreachable:  # What they have nobody has counted.
            self.total = None
