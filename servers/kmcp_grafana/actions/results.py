"""The answer of every action: a list, one thing, or a change."""

from collections.abc import Callable
from typing import Any, ClassVar

from pydantic import Field, PrivateAttr

from kmcp_grafana.client.grafana import Row
from kmcp_runtime import Continued, Diff, Manifest, Result


class Answer(Result, Continued):
    """Which fields are set depends on the action: `items` for a list, `item` for one thing, `result` for a change."""

    cuttable: ClassVar[str | None] = "items"
    # Titles, descriptions and annotations were written by anybody who may edit in Grafana.

    item: Row | Manifest | None = Field(default=None, description="The one thing that was asked for, or changed")
    items: list[Row | str] | None = Field(default=None, description="A list")
    returned: int | None = Field(default=None, description="Items in this answer")
    total: int | None = Field(default=None, description="Items there are; absent when unknown")
    truncated: bool | None = Field(default=None, description="True when something was left out")
    cursor: str | None = Field(default=None, description="Pass it back to go on")
    url: str | None = Field(default=None, description="Where to see it in Grafana")
    result: str | None = Field(default=None, description="What a change did, in a word")
    changed: bool | None = None
    request: str | None = Field(default=None, description="What would be sent")
    diff: Diff | None = Field(default=None, description="Unified diff, secrets redacted")
    dry_run: bool | None = Field(default=None, description="True when nothing was changed")
    bytes_total: int | None = Field(default=None, description="Size before it was cut, in bytes")

    # The budget is applied after the tool has returned: only then it is known how many items are kept.
    _cursor_at: Callable[[int], str] | None = PrivateAttr(default=None)


class Whole(Answer):
    """One thing as YAML; when it is too long, lines at its end are cut."""

    cuttable: ClassVar[str | None] = "item"


def show_whole(value: Any, url: str | None = None) -> Whole:
    """A part of a model: objects and lists as YAML, a single value as it is."""
    return Whole(item=Manifest(value) if isinstance(value, dict | list) else {"value": value}, url=url)


class Difference(Answer):
    """A comparison; when it is too long, lines at its end are cut."""

    cuttable: ClassVar[str | None] = "diff"


def pick(thing: Row, *fields: str) -> Row:
    """The named fields of an object, without those that are empty."""
    return {field: thing[field] for field in fields if thing.get(field) not in (None, "", [], {})}
