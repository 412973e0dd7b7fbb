"""How much a call may send: the one bound on its arguments, before anything reads them.

The schemas in the list do not show it, since they would be longer for a limit that no usual call meets. An argument
that may hold more says so beside its type: `Annotated[str, "YAML", DOCUMENT]`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from kmcp_runtime.errors import ToolFailure, bad_argument, quoted, too_large


@dataclass(frozen=True)
class Holds:
    """The most that one argument may hold, at all depths together."""

    characters: int
    """Of all its texts and keys."""
    values: int
    """Elements of lists and members of objects."""


USUAL = Holds(characters=64 << 10, values=1_000)
DOCUMENT = Holds(characters=4 << 20, values=50_000)
"""A manifest, a patch, a dashboard, values of a chart. The values of YAML are counted by its reader."""
MOST_ARGUMENTS = 100


def excess(model: type[BaseModel], given: Mapping[str, Any], renamed: Mapping[str, str]) -> ToolFailure | None:
    """Why arguments are too many (`bad_argument`) or one too large (`too_large`), None if none is.

    `renamed`: current names of arguments by other ones. It takes no longer than the bounds allow, whatever was sent.
    """
    if len(given) > MOST_ARGUMENTS:
        return bad_argument(f"a call has at most {MOST_ARGUMENTS} arguments, not {len(given)}", "see the tool's schema")
    for name, value in given.items():
        field = model.model_fields.get(renamed.get(name, name))
        # A name that the tool does not have can be as long as any text.
        failure = (
            _excess(quoted(name), value, _bound(field)) if field else _excess(quoted(name[:80]), [name, value], USUAL)
        )
        if failure:
            return failure
    return None


def is_usual(model: type[BaseModel], name: str) -> bool:
    """Whether an argument holds no document, of the names that the model has and of all others."""
    field = model.model_fields.get(name)
    return field is None or _bound(field) == USUAL


def _excess(name: str, value: Any, most: Holds) -> ToolFailure | None:
    characters = values = 0
    for text, count in _parts(value):
        characters += len(text)
        values += count
        if characters > most.characters:
            return too_large(f"{name}: more than {most.characters} characters", "send less in one call")
        if values > most.values:
            return too_large(f"{name}: more than {most.values} values", "send fewer in one call")
    return None


def _parts(node: Any) -> Iterator[tuple[str, int]]:
    """Each text of a value, and how many values each list or object has: no walk over what is already too much."""
    waiting = [node]
    while waiting:
        found = waiting.pop()
        if isinstance(found, str):
            yield found, 0
        elif isinstance(found, Mapping):
            yield "", len(found)
            waiting += found.keys()
            waiting += found.values()
        elif isinstance(found, list | tuple):
            yield "", len(found)
            waiting += found


def _bound(field: FieldInfo) -> Holds:
    """What the argument declares, wherever in its type; the usual bound by default."""
    return next(_declared([*field.metadata, field.annotation]), USUAL)


def _declared(parts: list[Any]) -> Iterator[Holds]:
    for part in parts:
        if isinstance(part, Holds):
            yield part
        else:
            yield from _declared([*get_args(part)])
