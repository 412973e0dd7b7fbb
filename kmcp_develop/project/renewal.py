"""A project made anew from the template that is installed now, around what its author has changed."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .description import Project, ProjectError
from .scaffold import RECORD, record, rendered, write_all

SUFFIX = ".new"


@dataclass(frozen=True)
class Renewal:
    """Paths in the project: `written` as the template has them now, `beside` where both sides changed."""

    written: list[str]
    beside: list[str]


def renew(project: Project, suite: Mapping[str, str]) -> Renewal:
    """Write what the template changed since; a file that its author changed too stays, the new one comes beside it.

    What the author deleted stays deleted. Errors: ProjectError; nothing is changed then.
    """
    before = _recorded(project.folder / RECORD)
    texts = rendered(project.name, project.language, project.kind, suite)
    written: dict[str, str] = {}
    beside: dict[str, str] = {}
    for path, text in texts.items():
        new = _digest(text.encode())
        if before.get(path) == new:
            continue
        file = project.folder / path
        found = _digest(file.read_bytes()) if file.is_file() else None
        if found == new or (found is None and path in before):
            continue
        if found in (None, before.get(path)):
            written[path] = text
        else:
            beside[f"{path}{SUFFIX}"] = text
    changed = {**written, **beside, RECORD: record(texts)}
    write_all({project.folder / path: text for path, text in changed.items()}, project.folder)
    return Renewal(sorted(written), sorted(beside))


def _recorded(file: Path) -> dict[str, str]:
    try:
        found = json.loads(file.read_text())
    except FileNotFoundError as error:
        raise ProjectError(
            f"{file} is not there, so what you changed cannot be told from the template: make a new project with "
            "kmcp-suite init and take over what you wrote"
        ) from error
    except (OSError, ValueError) as error:
        raise ProjectError(f"{file}: {error}") from error
    if not isinstance(found, dict) or not all(isinstance(digest, str) for digest in found.values()):
        raise ProjectError(f"{file}: it takes a digest for each path; take it from the version control again")
    return found


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
