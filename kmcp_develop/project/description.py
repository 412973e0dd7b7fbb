"""`kmcp.yaml`: what the commands need to know of a project, at its top."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kmcp_runtime import yaml_text

FILE = "kmcp.yaml"
LANGUAGES = ("python", "typescript", "go", "java")
KINDS = ("suite", "plain")


class ProjectError(Exception):
    """Says what is wrong with a project, and what to do."""


@dataclass(frozen=True)
class Project:
    """`folder` is absolute. `command` starts the server over stdio, in `folder`; `build` makes what it starts."""

    folder: Path
    name: str
    language: str
    kind: str
    image: str
    command: tuple[str, ...]
    build: tuple[str, ...] = ()

    @property
    def manifest(self) -> Path:
        return self.folder / "mcpserver.yaml"


def read_project(folder: Path) -> Project:
    """Errors: ProjectError."""
    file = folder / FILE
    try:
        content = yaml_text.read(file.read_text())
    except FileNotFoundError as error:
        raise ProjectError(f"{folder} is not a project: it has no {FILE}; kmcp-suite init NAME makes one") from error
    except (OSError, ValueError, yaml_text.YamlError) as error:
        raise ProjectError(f"{file}: {error}") from error
    return _checked(folder.resolve(), file, content)


def _checked(folder: Path, file: Path, content: Any) -> Project:
    words = ("name", "language", "kind", "image")
    if not isinstance(content, dict) or not all(isinstance(content.get(word), str) for word in words):
        raise ProjectError(f"{file}: it takes {', '.join(words)} as texts, and command as a list of words")
    command, build = content.get("command"), content.get("build", [])
    if not _is_list_of_words(command) or not command:
        raise ProjectError(f"{file}: command: give the words that start the server over stdio, as a list")
    if not _is_list_of_words(build):
        raise ProjectError(f"{file}: build: give the words that build what command starts, as a list")
    given = {word: content[word] for word in words}
    return Project(folder=folder, command=tuple(command), build=tuple(build), **given)


def _is_list_of_words(content: Any) -> bool:
    return isinstance(content, list) and all(isinstance(word, str) for word in content)
