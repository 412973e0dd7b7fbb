"""The shapes of results: plain models, lists with an envelope, changes with a diff.

Every tool returns a subclass of `Result`; its JSON Schema is the tool's output schema. `Manifest` and `Diff` are fields
that hold Kubernetes-like objects and become text only after redaction, so that no secret hides inside a string.
"""

import difflib
from collections.abc import Callable
from typing import Any, ClassVar, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, PrivateAttr
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from kmcp_runtime import yaml_text
from kmcp_runtime.json_patch import same_json
from kmcp_runtime.output.render import Form

Item = TypeVar("Item")
DIFF_CONTEXT_LINES = 2
_LONGEST_DIFF_LINE = 400


class Result(BaseModel):
    """What a tool answers. Fields that are None are left out of the answer."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, serialize_by_alias=True, defer_build=True)

    cuttable: ClassVar[str | None] = None
    """The field that the token budget cuts first: a list (by item), a text (by line) or a `Tree` (by leaf)."""

    keeps_end: ClassVar[bool] = False
    """True when the end of that field says more than its beginning: logs."""

    own: ClassVar[bool] = False
    """True when nobody else wrote any text in it. Every other answer is marked as data: a name or a label is enough
    for somebody to put words in it."""

    _form: Form | None = PrivateAttr(default=None)

    @property
    def form(self) -> Form | None:
        """What its text is one document of; None for lines and tables, which are the shortest."""
        return self._form

    def written_as(self, form: Form | None) -> Self:
        """Make the text one document, which parses to what the structured content says."""
        self._form = form
        return self

    warnings: list[str] | None = Field(default=None, description="Warnings from the backend")
    hint: str | None = Field(default=None, description="How to narrow, or what to try next")


class Continued:
    """An answer that may be cut, and gone on with where it ended."""

    _cursor_at: Callable[[int], str] | None

    def continues_at(self, cursor_at: Callable[[int], str]) -> Self:
        """Say how a cursor for the rest is made should the budget keep only the first n items (or lines)."""
        self._cursor_at = cursor_at
        return self

    def cursor_after(self, kept: int) -> str | None:
        return self._cursor_at(kept) if self._cursor_at else None


class Page(Result, Continued, Generic[Item]):
    """A list: `items` in the backend's order, and honestly whether it is all of them."""

    cuttable: ClassVar[str | None] = "items"

    items: list[Item]
    returned: int = Field(default=0, description="Items in this answer")
    total: int | None = Field(default=None, description="Items there are; absent when unknown")
    truncated: bool = Field(default=False, description="True when something was left out")
    cursor: str | None = Field(default=None, description="Pass it back to go on")

    _cursor_at: Callable[[int], str] | None = PrivateAttr(default=None)

    def model_post_init(self, context: Any, /) -> None:
        self.returned = len(self.items)


class Body(Result, Continued):
    """An answer with one large part that can be cut, a text at a line: `truncated` says so."""

    truncated: bool = Field(default=False, description="True when something was left out")
    bytes_total: int | None = Field(default=None, description="Size before it was cut, in bytes")
    cursor: str | None = Field(default=None, description="Pass it back to go on")

    _cursor_at: Callable[[int], str] | None = PrivateAttr(default=None)


class Rendered:
    """A field that becomes text after redaction."""

    def render(self, redact: Callable[..., Any]) -> str:
        raise NotImplementedError

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        # Pydantic only carries it: what it shows is made in `render`, when redaction has seen the data.
        return core_schema.is_instance_schema(cls)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string"}


class Rest(Rendered):
    """What follows the first lines of a field that becomes text: where an answer goes on."""

    def __init__(self, whole: Rendered, skipped_lines: int) -> None:
        self.whole = whole
        self.skipped_lines = skipped_lines

    def render(self, redact: Callable[..., Any]) -> str:
        return "\n".join(self.whole.render(redact).split("\n")[self.skipped_lines :])


class Manifest(Rendered):
    """One object, answered as YAML."""

    def __init__(self, content: Any) -> None:
        self.content = content

    def render(self, redact: Callable[..., Any]) -> str:
        return yaml_text.write(redact(self.content))


class Diff(Rendered):
    """A unified diff of two objects as YAML; empty when they are equal."""

    def __init__(self, before: Any, after: Any, most_lines: int | None = None) -> None:
        self.before = before
        self.after = after
        self.most_lines = most_lines

    @property
    def changed(self) -> bool:
        return not same_json(self.before, self.after)

    def render(self, redact: Callable[..., Any]) -> str:
        old = yaml_text.write(redact(self.before)).splitlines() if self.before is not None else []
        new = yaml_text.write(redact(self.after)).splitlines() if self.after is not None else []
        lines = _shortened(list(difflib.unified_diff(old, new, "before", "after", n=DIFF_CONTEXT_LINES, lineterm="")))
        if self.most_lines is not None and len(lines) > self.most_lines:
            # Cut here and not by the budget, so that one large object leaves room for the other diffs of an answer.
            lines[self.most_lines :] = [f"… {len(lines) - self.most_lines} more lines"]
        return "\n".join(lines)


def _shortened(lines: list[str]) -> list[str]:
    """A long line is shown where it differs from the one it replaces, so that it crowds out no other change."""
    partners = _partners(lines)
    return [
        line if len(line) <= _LONGEST_DIFF_LINE else _excerpt(line, partners.get(number))
        for number, line in enumerate(lines)
    ]


def _partners(lines: list[str]) -> dict[int, str]:
    """For each line of a replaced block the line that takes its place, by number."""
    found: dict[int, str] = {}
    removed: list[int] = []
    added: list[int] = []
    for number, line in enumerate([*lines, ""]):
        if line.startswith("-"):
            removed.append(number)
        elif line.startswith("+"):
            added.append(number)
        else:
            for old, new in zip(removed, added, strict=False):
                found |= {old: lines[new], new: lines[old]}
            removed, added = [], []
    return found


def _excerpt(line: str, partner: str | None) -> str:
    pairs = zip(line[1:], (partner or "")[1:], strict=False)
    same = next((place for place, (one, other) in enumerate(pairs) if one != other), 0)
    begin = 1 + max(0, same - _LONGEST_DIFF_LINE // 4)
    dots = "… " if begin > 1 else ""
    return f"{line[0]}{dots}{line[begin : begin + _LONGEST_DIFF_LINE]}… ({len(line) - 1} characters)"


class Change(Result):
    """What a write did: the object's identity, whether anything changed, and the difference."""

    kind: str
    name: str
    namespace: str | None = None
    result: str = Field(description="What happened, in a word")
    changed: bool
    diff: Diff | None = Field(default=None, description="Unified diff, without managedFields")
    resource_version: str | None = None
    dry_run: bool | None = Field(default=None, description="True when nothing was changed")
