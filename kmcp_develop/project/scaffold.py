"""A project from its template: whole or not at all."""

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from .description import KINDS, ProjectError
from .names import check_project, check_tool, package_of

TEMPLATES = Path(__file__).parents[1] / "templates"
SUFFIX = ".tpl"
"""Files of a template end so, for they are not yet what their names say; checkers of this tree pass them by."""
APPENDED = ".append"
"""Ends the name of a template whose text is added to the file before it, in templates of tools."""
RECORD = ".kmcp-template.json"
_PLACE = re.compile(r"\{\{([a-z_]+)\}\}")


def templates() -> dict[str, list[str]]:
    """Languages, and the kinds that there are templates for."""
    found: dict[str, list[str]] = {}
    for folder in sorted(TEMPLATES.iterdir()):
        language, _, kind = folder.name.partition("-")
        if kind in KINDS:
            found.setdefault(language, []).append(kind)
    return found


def rendered(name: str, language: str, kind: str, suite: Mapping[str, str]) -> dict[str, str]:
    """The files of a project by their paths in it. Errors: ProjectError when there is no such template."""
    template = TEMPLATES / f"{language}-{kind}"
    if not template.is_dir():
        known = "; ".join(f"{each}: {', '.join(kinds)}" for each, kinds in templates().items())
        raise ProjectError(f"there is no template of kind {kind} for {language}; there are {known}")
    values = {"name": name, "package": package_of(name), "title": name.replace("-", " ").title(), **suite}
    return _filled(TEMPLATES / "common", values) | _filled(template, values)


def _filled(source: Path, values: Mapping[str, str]) -> dict[str, str]:
    return {
        fill(path.relative_to(source).as_posix().removesuffix(SUFFIX), values): fill(path.read_text(), values)
        for path in sorted(source.rglob(f"*{SUFFIX}"))
    }


def record(texts: Mapping[str, str]) -> str:
    """What the template wrote, as a JSON object of digests by path: so an update knows what its author has changed."""
    digests = {path: hashlib.sha256(text.encode()).hexdigest() for path, text in sorted(texts.items())}
    return json.dumps(digests, indent=1) + "\n"


def make(
    target: Path,
    name: str,
    language: str,
    kind: str,
    suite: Mapping[str, str],
    extra: Mapping[str, Path] | None = None,
) -> list[Path]:
    """Write a new project into `target`, which must not exist or be empty but for `.git`; its files.

    `suite` fills in where kmcp-suite comes from, `extra` are files to copy. Errors: ProjectError; nothing is left then,
    nor after an interrupt.
    """
    texts = rendered(check_project(name, language), language, kind, suite)
    _check_target(target)
    # Named before it is made, so that no interrupt falls between the two.
    made = target.parent / f".{target.name}-{secrets.token_hex(4)}"
    absent = [each for each in made.parents if not each.exists()]
    try:
        made.mkdir(mode=0o700, parents=True)
        for path, text in [*texts.items(), (RECORD, record(texts))]:
            (made / path).parent.mkdir(parents=True, exist_ok=True)
            (made / path).write_text(text)
        for inner, source in (extra or {}).items():
            (made / inner).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, made / inner)
        files = sorted(path.relative_to(made) for path in made.rglob("*") if path.is_file())
        _move(made, target)
    except OSError as error:
        raise ProjectError(f"{target} cannot be made: {error.strerror}; choose a folder that you may write") from error
    finally:  # of an interrupt too: a project that is half there would be taken for one
        shutil.rmtree(made, ignore_errors=True)
        for each in absent:
            with suppress(OSError):  # where the project was made they are not empty
                each.rmdir()
    return files


def _check_target(target: Path) -> None:
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise ProjectError(f"{target} exists and is not a folder; choose another name, or --output FOLDER")
    if target.is_dir() and (found := sorted(each.name for each in target.iterdir() if each.name != ".git")):
        raise ProjectError(
            f"{target} is not empty ({', '.join(found[:3])}{', …' if len(found) > 3 else ''}): "
            "choose another name, or --output FOLDER"
        )


def _move(made: Path, target: Path) -> None:
    made.chmod(0o777 & ~_umask())
    if not target.exists():
        made.rename(target)
        return
    # An empty folder, or a repository without files: its own `.git` stays as it is.
    moved: list[Path] = []
    try:
        for each in made.iterdir():
            each.rename(target / each.name)
            moved.append(target / each.name)
    except BaseException:
        for each in moved:
            shutil.rmtree(each) if each.is_dir() else each.unlink()
        raise


def _umask() -> int:
    found = os.umask(0)
    os.umask(found)
    return found


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text, or the path, with each `{{word}}` filled in. Errors: KeyError for a word that has no value."""
    return _PLACE.sub(lambda found: values[found[1]], text)


def add_tool(folder: Path, language: str, kind: str, project: str, tool: str) -> tuple[str, list[Path]]:
    """Write the function, its test and its row of the documentation; the tool's name, and the files.

    Errors: ProjectError, InvalidNameError; nothing is changed then.
    """
    name = check_tool(tool, package_of(project))
    source = TEMPLATES / f"tool-{language}-{kind}"
    if not source.is_dir():
        raise ProjectError(f"add-tool knows no {language} project of kind {kind}; write the tool beside the first one")
    texts = {folder / path: text for path, text in _filled(source, _words(project, name)).items()}
    # What is added to a file that the project has: a line of a list, never a change of what is there.
    added = {path.with_suffix(""): text for path, text in texts.items() if path.suffix == APPENDED}
    new = {path: text for path, text in texts.items() if path.suffix != APPENDED}
    taken = [str(path.relative_to(folder)) for path in new if path.exists()]
    if taken:
        raise ProjectError(f"{', '.join(taken)} exists already: choose another name for the tool")
    try:
        whole = {path: _with_end(path.read_text(), text) for path, text in added.items()}
        readme = folder / "README.md"
        if readme.is_file():
            whole[readme] = _with_row(readme.read_text(), f"| `{name}` | What it answers, in one sentence. |")
    except (OSError, ValueError) as error:
        raise ProjectError(f"{folder} cannot be read: {error}; nothing was added") from error
    write_all(new | whole, folder)
    return name, [*new, *whole]


def _words(project: str, name: str) -> dict[str, str]:
    """Values of a tool's template: `camel` and `lower` are its short name as a type and as a function have it."""
    short = name.removeprefix(f"{package_of(project)}_")
    camel = _camel(short)
    words = {"short": short, "camel": camel, "lower": camel[0].lower() + camel[1:], "model": _camel(name)}
    title = name.replace("_", " ").capitalize()
    return {"name": project, "package": package_of(project), "tool": name, "title": title, **words}


def _camel(name: str) -> str:
    """Two names never become one: `list_1` is List_1, `list1` is List1."""
    return "".join(f"_{word}" if word[0].isdigit() else word.capitalize() for word in name.split("_"))


def write_all(texts: Mapping[Path, str], folder: Path) -> None:
    """All of them or, after an error or an interrupt, none. Errors: ProjectError."""
    before: dict[Path, bytes | None] = {}
    try:
        for path, text in texts.items():
            found = path.read_bytes() if path.exists() else None
            path.parent.mkdir(parents=True, exist_ok=True)
            before[path] = found
            path.write_text(text)
    except BaseException as error:
        for path, content in before.items():
            path.unlink(missing_ok=True) if content is None else path.write_bytes(content)
        if isinstance(error, OSError):
            raise ProjectError(f"{folder} cannot be written: {error.strerror}; nothing was changed") from error
        raise


def _with_end(text: str, line: str) -> str:
    return text + ("" if not text or text.endswith("\n") else "\n") + line


def _with_row(text: str, row: str) -> str:
    """The row behind the last one of the table of tools."""
    lines = text.splitlines()
    rows = [number for number, line in enumerate(lines) if line.startswith("| `")]
    if not rows:
        return text
    return "\n".join([*lines[: rows[-1] + 1], row, *lines[rows[-1] + 1 :]]) + "\n"
