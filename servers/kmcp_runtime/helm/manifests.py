"""The objects of a rendered manifest, and what differs between two; texts are redacted before they are shown."""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from kmcp_runtime import redaction, yaml_text
from kmcp_runtime.kube import secret_values
from kmcp_runtime.output.results import DIFF_CONTEXT_LINES, Rendered

How = Literal["added", "changed", "removed", "kept"]
_SEPARATOR = re.compile(r"^---(?:[ \t].*)?$", re.MULTILINE)
_SOURCE = re.compile(r"^# Source: (.+)$", re.MULTILINE)
# Helm's annotation for what an uninstall leaves in place.
KEEP = "helm.sh/resource-policy"
Identity = tuple[str, str, str, str]


@dataclass(frozen=True)
class Part:
    """One document, as rendered and as data; `content` is empty when the text is not an object."""

    text: str
    content: dict[str, Any]

    @property
    def kind(self) -> str:
        return str(self.content.get("kind") or "")

    @property
    def api_version(self) -> str:
        return str(self.content.get("apiVersion") or "")

    @property
    def name(self) -> str:
        return str(self._metadata().get("name") or "")

    @property
    def namespace(self) -> str | None:
        """As the manifest says; None when it is left to the release."""
        found = self._metadata().get("namespace")
        return str(found) if found else None

    @property
    def identity(self) -> Identity:
        # Without the version: a new API version of the same object is a change, not another object.
        return self.api_version.rpartition("/")[0], self.kind, self.namespace or "", self.name

    @property
    def kept(self) -> bool:
        """Whether an uninstall leaves it where it is; the letter case does not matter to it, nor do blanks."""
        return self._policy.strip().lower() == "keep"

    @property
    def kept_by_upgrade(self) -> bool:
        """Whether an upgrade or rollback to a revision without it does, which takes the word as it is."""
        return self._policy == "keep"

    @property
    def _policy(self) -> str:
        annotations = self._metadata().get("annotations")
        return str(annotations.get(KEEP) or "") if isinstance(annotations, dict) else ""

    def _metadata(self) -> dict[str, Any]:
        found = self.content.get("metadata")
        return found if isinstance(found, dict) else {}


def parts(manifest: str) -> list[Part]:
    """Every document of a manifest that is not empty, in order."""
    texts = (text.strip("\n") for text in _SEPARATOR.split(manifest))
    return [found for text in texts for found in _part(text)]


def objects(manifest: str) -> list[Part]:
    """Every object of a manifest; a List is replaced by its items."""
    return [each for part in parts(manifest) for each in _items(part) if each.kind]


@dataclass(frozen=True)
class Change:
    """An object that differs between two manifests."""

    how: How
    before: Part | None
    after: Part | None

    @property
    def part(self) -> Part:
        found = self.after or self.before
        assert found is not None
        return found


def changes(before: str, after: str) -> list[Change]:
    """What differs, in the order of the later manifest; what it no longer has comes last."""
    old = {part.identity: part for part in objects(before)}
    new = {part.identity: part for part in objects(after)}
    found = [
        Change("changed" if key in old else "added", old.get(key), part)
        for key, part in new.items()
        if key not in old or old[key].content != part.content or _holds_values(part)
    ]
    gone = [part for key, part in old.items() if key not in new]
    # Helm leaves an object with the annotation helm.sh/resource-policy: keep where it is, and forgets it.
    return found + [Change("kept" if part.kept_by_upgrade else "removed", part, None) for part in gone]


def _holds_values(part: Part) -> bool:
    """A Secret with values: it counts as changed, since a comparison would show whether a guess is the live one."""
    return part.kind == "Secret" and bool(part.content.get("data") or part.content.get("stringData"))


class Text(Rendered):
    """A manifest as it was rendered, except that objects which hold secrets are written again, redacted."""

    def __init__(self, manifest: str) -> None:
        self.manifest = manifest

    def render(self, redact: Callable[..., Any]) -> str:
        return "\n".join(f"---\n{_shown(part, redact)}" for part in parts(self.manifest))


class Difference(Rendered):
    """A unified diff for each object that changes."""

    def __init__(self, found: Sequence[Change]) -> None:
        self.changes = found

    def render(self, redact: Callable[..., Any]) -> str:
        return "\n".join(line for change in self.changes for line in _diff(change, redact))


def _part(text: str) -> Iterator[Part]:
    if not text.strip():
        return
    try:
        # Helm's own parser takes the last of repeated keys, so charts have them.
        content = yaml_text.read(text, repeated_keys=True)
    except yaml_text.YamlError:
        content = {}
    if content is None:  # Only comments: a template that rendered to nothing.
        return
    secret_values.learn(content)
    yield Part(text, content if isinstance(content, dict) else {})


def _items(part: Part) -> Iterable[Part]:
    items = part.content.get("items")
    if part.kind.endswith("List") and isinstance(items, list):
        return [Part(yaml_text.write(item), item) for item in items if isinstance(item, dict)]
    return [part]


def _shown(part: Part, redact: Callable[..., Any]) -> str:
    if not part.content:
        return redaction.text(part.text)
    clean = redact(part.content, foreign=True)
    # The text as it was, with its comments and order, unless there is something to hide.
    if clean == part.content:
        return redaction.text(part.text)
    source = _SOURCE.search(part.text)
    return (f"# Source: {source[1]}\n" if source else "") + yaml_text.write(clean).rstrip("\n")


def _diff(change: Change, redact: Callable[..., Any]) -> list[str]:
    part = change.part
    name = f"{part.kind} {part.namespace + '/' if part.namespace else ''}{part.name}"
    if change.how == "kept":
        return [f"# {name}: no longer part of the release, and kept"]
    old, new = (
        yaml_text.write(redact(side.content, foreign=True)).splitlines() if side is not None else []
        for side in (change.before, change.after)
    )
    lines = list(
        difflib.unified_diff(old, new, f"{name} (before)", f"{name} (after)", n=DIFF_CONTEXT_LINES, lineterm="")
    )
    return [*lines, f"# {name}: its values are hidden, and not compared"] if _holds_values(part) else lines
