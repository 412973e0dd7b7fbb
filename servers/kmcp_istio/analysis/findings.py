"""Findings, and which of them a caller wants to see."""

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Level = Literal["Info", "Warning", "Error"]
LEVELS: tuple[Level, ...] = ("Error", "Warning", "Info")
_DOCUMENTATION = "https://istio.io/latest/docs/reference/config/analysis"


class Finding(BaseModel):
    """One fault of one object, in the form that `istioctl analyze -o json` prints."""

    # documentationUrl as istioctl spells it, so that both engines give the same answer.
    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    code: str
    level: Level
    message: str
    origin: str | None = Field(default=None, description="Kind namespace/name")
    reference: str | None = Field(default=None, description="Where in its source")
    documentation_url: str | None = Field(default=None, alias="documentationUrl")


@dataclass(frozen=True)
class Origin:
    """The object that a finding is about; `namespace` is empty for a cluster-scoped one."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    @property
    def home(self) -> str:
        """The namespace that the object is in, or the namespace that it is."""
        # A Namespace is cluster-scoped, but a finding about it belongs to an analysis of that namespace.
        return self.name if self.kind == "Namespace" else self.namespace


def finding(code: str, level: Level, origin: Origin, message: str) -> tuple[Origin, Finding]:
    url = f"{_DOCUMENTATION}/{code.lower()}/"
    return origin, Finding(code=code, level=level, message=message, origin=str(origin), documentation_url=url)


def at_least(found: Iterable[Finding], level: Level) -> list[Finding]:
    """Those of this level or worse, the worst first."""
    wanted = LEVELS[: LEVELS.index(level) + 1]
    return sorted((each for each in found if each.level in wanted), key=lambda each: LEVELS.index(each.level))


def spelled(suppression: str) -> list[str]:
    """A suppression in both spellings: `CODE=KIND name.namespace` and `CODE=KIND namespace/name`."""
    # istioctl documents the first spelling and compares with the second (resource.Origin.FriendlyName).
    kind, _, name = suppression.partition(" ")
    own, _, namespace = name.rpartition(".")
    return [suppression, f"{kind} {namespace}/{own}"] if own else [suppression]


def suppressed(origin: Origin, found: Finding, suppressions: Iterable[str]) -> bool:
    """Whether one of the suppressions covers a finding; `*` matches any part of a name."""
    spellings = [each.partition("=") for suppression in suppressions for each in spelled(suppression)]
    return any(code == found.code and fnmatch.fnmatchcase(str(origin), name) for code, _, name in spellings)


def counts(found: Iterable[Finding]) -> dict[str, int]:
    levels = [each.level for each in found]
    return {level: levels.count(level) for level in LEVELS}
