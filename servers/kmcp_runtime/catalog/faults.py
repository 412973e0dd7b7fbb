"""Faults of a document: where, what, and what to do next.

Written `path: fault; next step`, with the line before it when the document came as text.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError

from kmcp_runtime.findings import Path, dotted, findings


@dataclass(frozen=True)
class Fault:
    path: Path
    text: str  # "fault; next step"

    def __str__(self) -> str:
        return f"{dotted(self.path) or 'document'}: {self.text}"


class InvalidDocumentError(ValueError):
    """A document that was refused, with all its faults."""

    def __init__(self, faults: Iterable[Fault], lines: Mapping[Path, int] | None = None, where: str = "") -> None:
        self.faults = tuple(faults)
        self.lines = lines or {}
        self.where = where
        super().__init__("\n".join(self.report()))

    def report(self) -> list[str]:
        return [self._prefix(fault) + str(fault) for fault in self.faults]

    def _prefix(self, fault: Fault) -> str:
        line = line_of(self.lines, fault.path)
        return ":".join(part for part in (self.where, str(line) if line else "") if part) + (
            ": " if self.where or line else ""
        )


def line_of(lines: Mapping[Path, int], path: Path) -> int | None:
    """The line of a path, or of the nearest thing around it that the text has."""
    for end in range(len(path), -1, -1):
        if path[:end] in lines:
            return lines[path[:end]]
    return None


def faults_of(error: ValidationError, model: type[BaseModel], root: Path = ()) -> list[Fault]:
    """Pydantic's findings in our words."""
    return [
        Fault(root + found.path, "; ".join(part for part in (found.text, found.step) if part))
        for found in findings(error, model)
    ]
