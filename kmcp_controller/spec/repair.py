"""A model of what is right in a block with faults, so that the checks of its meaning find theirs at the same time.

A value that only wants quotes (or none) is taken as it was meant; another one with a fault is left out. A check that
then complains about such a place, or rests on it, says nothing new and is dropped.
"""

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from kmcp_runtime.catalog import Fault, faults_of
from kmcp_runtime.findings import Path

M = TypeVar("M", bound=BaseModel)
_ROUNDS = 8  # a value left out may be required by what is around it, which then goes as well
_LARGEST_DIGITS = 18
_IMAGE, _CMD = ("spec", "deployment", "image"), ("spec", "deployment", "cmd")
_RESTS_ON: Mapping[str | int, Path] = {"tools": _IMAGE, "readOnly": _IMAGE, "rbac": _IMAGE, "image": _CMD}
"""What the check of a field asks of another one."""


@dataclass
class Repaired(Generic[M]):
    """`model` is None where nothing could be made of the block; paths are those of the manifest."""

    model: M | None = None
    faults: list[Fault] = field(default_factory=list)
    blamed: set[Path] = field(default_factory=set)
    taken_as_meant: set[Path] = field(default_factory=set)
    kept: dict[Path, list[int]] = field(default_factory=dict)
    """Of a list that lost elements: where each of those that are left stood."""

    def place(self, path: Path) -> Path:
        """A path of the model as the manifest has it."""
        return tuple(
            self.kept[path[:end]][part] if isinstance(part, int) and path[:end] in self.kept else part
            for end, part in enumerate(path)
        )


def repair(model: type[M], block: Mapping[str, Any], root: Path) -> Repaired[M]:
    """The model of `block`, which stands at `root` of the manifest, and every fault of its form."""
    found: Repaired[M] = Repaired()
    rest: Any = block
    for number in range(_ROUNDS):
        try:
            found.model = model.model_validate(rest, by_alias=True, by_name=False)
            return found
        except ValidationError as error:
            if number == 0:
                found.faults = faults_of(error, model, root)
                rest = copy.deepcopy(dict(block))
            gone = [path for each in error.errors(include_url=False) if (path := _mend(found, rest, root, each))]
            # From the end, so that an index is still right when its turn comes.
            for path in sorted(set(gone), key=lambda path: [(isinstance(part, int), part) for part in path])[::-1]:
                _remove(found, rest, root, path)
    return found


def joined(form: Iterable[Fault], meaning: Iterable[Fault], blocks: Iterable[Repaired[Any]]) -> list[Fault]:
    """Faults of form and of meaning with one answer for each: the later one knows what the value was meant to be."""
    blocks = tuple(blocks)
    blamed = {path for block in blocks for path in block.blamed}
    meant = {path for block in blocks for path in block.taken_as_meant}
    found: list[Fault] = []
    for fault in meaning:
        path = fault.path
        for block in blocks:
            path = block.place(path)
        others = _RESTS_ON.get(path[-1])
        if not _is_below(path, blamed) and not (others and _is_below(others, blamed)):
            found.append(Fault(path, fault.text))
    answered = {fault.path for fault in found} & meant
    return [*(fault for fault in form if fault.path not in answered), *found]


def as_written(value: float | bool) -> str:
    """The text that a value would be in quotes, as far as that is known."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_below(path: Path, places: set[Path]) -> bool:
    return any(path[:end] in places for end in range(1, len(path) + 1))


def _mend(found: Repaired[Any], rest: Any, root: Path, error: Mapping[str, Any]) -> Path | None:
    """Take the value as it was meant, or say what must go."""
    path: Path = tuple(part for part in error["loc"] if part != "[key]")
    indices = [end for end, part in enumerate(path) if isinstance(part, int)]
    if error["type"] == "missing" and not indices:
        _holder(rest, path)[path[-1]] = {}
        return None
    meant = _meant(error["type"], error["input"])
    where = found.place((*root, *path))
    if meant is not None and where not in found.blamed | found.taken_as_meant:
        _holder(rest, path)[path[-1]] = meant
        found.taken_as_meant.add(where)
        return None
    found.blamed.add(where)
    if indices:
        found.blamed.add(where[: len(root) + indices[-1] + 1])
    return path[: indices[-1] + 1] if error["type"] == "missing" else path


def _meant(kind: str, given: Any) -> Any:
    """What the advice of the fault comes to; None when it is another type altogether."""
    if kind == "string_type" and isinstance(given, bool | int | float):
        return as_written(given)
    if kind == "int_type" and isinstance(given, str) and given.removeprefix("-").isdecimal():
        return int(given) if len(given) <= _LARGEST_DIGITS else None
    if kind == "bool_type" and given in ("true", "false"):
        return given == "true"
    return None


def _holder(rest: Any, path: Path) -> Any:
    for part in path[:-1]:
        rest = rest[part]
    return rest


def _remove(found: Repaired[Any], rest: Any, root: Path, path: Path) -> None:
    holder, last = _holder(rest, path), path[-1]
    if isinstance(holder, list):
        place = (*root, *path[:-1])
        found.kept.setdefault(place, list(range(len(holder)))).pop(int(last))
        holder.pop(int(last))
    else:
        holder.pop(last, None)
