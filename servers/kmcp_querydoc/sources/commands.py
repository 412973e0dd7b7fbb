"""The help of Go commands (cobra), read from their source: what `--help` says, without building or running anything."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kmcp_querydoc.sources.definitions import Source
from kmcp_querydoc.sources.golang import Token, tokens
from kmcp_querydoc.sources.page import Page
from kmcp_runtime import not_found

_FLAG = re.compile(
    r"(?:Bool|String|Int|Int32|Int64|Uint|Duration|Float64|Count|StringSlice|StringArray|StringToString|IP)?(?:Var)?(P)?$"
)
_FIELDS = ("Use", "Short", "Long", "Example", "Deprecated", "Hidden")


@dataclass
class Flag:
    name: str
    short: str
    about: str


@dataclass
class Function:
    """What a function of the package says about commands."""

    commands: list[dict[str, str]] = field(default_factory=list)
    flags: list[Flag] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    """Functions that it calls, in their order: some of them add flags."""
    children: list[str] = field(default_factory=list)
    """Functions whose commands it adds below its own."""


def pages(source: Source, root: Path, address: str) -> Iterator[Page]:
    """A page for each command of the folders that `commands` names."""
    template = source if source.url or not address else source.model_copy(update={"url": address})
    for folder in source.commands:
        files = sorted(file for file in (root / folder).rglob("*.go") if not file.name.endswith("_test.go"))
        if not files:
            raise not_found(f"{source.title}: there is no Go source in {folder!r}", "check `commands`")
        for words, text in help_pages([file.read_text(errors="replace") for file in files]):
            path = f"{folder.strip('/')}/{'_'.join(words)}.md"
            yield Page(path, template.address(path, path), "markdown", text)


def help_pages(files: Sequence[str]) -> Iterator[tuple[tuple[str, ...], str]]:
    """The words of every command (`helm repo add`), and its help as Markdown."""
    functions = _functions([list(tokens(file)) for file in files])
    # A command does not name its parent; the parent's function calls the child's function inside AddCommand.
    parents = {child: name for name, function in functions.items() for child in function.children}
    for name, function in functions.items():
        words = _words(name, functions, parents)
        for number, command in enumerate(function.commands):
            if command.get("Use") and "Hidden" not in command:
                # A function that makes several commands makes the first one the parent of the others.
                whole = (*words, command["Use"].split(" ")[0]) if number else words
                yield whole, _markdown(whole, command, _flags(function, functions))


def _words(name: str, functions: Mapping[str, Function], parents: Mapping[str, str]) -> tuple[str, ...]:
    words: list[str] = []
    seen: set[str] = set()
    while name in functions and name not in seen and functions[name].commands:
        seen.add(name)
        words.insert(0, functions[name].commands[0].get("Use", "").split(" ")[0])
        name = parents.get(name, "")
    return tuple(words)


def _flags(function: Function, functions: Mapping[str, Function]) -> list[Flag]:
    """Its own flags, and those of the functions that it hands its set of flags to."""
    added = [functions[name] for name in function.calls if name in functions and not functions[name].commands]
    return list({flag.name: flag for each in [function, *added] for flag in each.flags}.values())


def _markdown(words: tuple[str, ...], command: Mapping[str, str], flags: Sequence[Flag]) -> str:
    usage = " ".join([*words[:-1], command["Use"]])
    parts = [f"# {' '.join(words)}", command.get("Short", ""), f"```\n{usage}\n```", command.get("Long", "").strip()]
    if command.get("Example"):
        parts += ["## Examples", f"```\n{command['Example'].strip()}\n```"]
    if flags:
        lines = [f"- `--{flag.name}`{f' (`-{flag.short}`)' if flag.short else ''}: {flag.about}" for flag in flags]
        parts += ["## Options", "\n".join(lines)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _functions(files: Sequence[list[Token]]) -> dict[str, Function]:
    constants = {name: value for file in files for name, value in _constants(file)}
    found: dict[str, Function] = {}
    for file in files:
        for name, body in _bodies(file):
            found[name] = _read(body, constants)
    return found


def _constants(file: list[Token]) -> Iterator[tuple[str, str]]:
    """Names at the top of a file whose value is a text, put together of literals."""
    depth = 0
    for number, token in enumerate(file):
        depth += {"{": 1, "}": -1}.get(token.value, 0) if token.kind == "mark" else 0
        if depth == 0 and token.kind == "name" and _is(file, number + 1, "="):
            value, _ = _text(file, number + 2, {})
            if value is not None:
                yield token.value, value


def _bodies(file: list[Token]) -> Iterator[tuple[str, list[Token]]]:
    """Name and body of every function at the top of a file; methods are left out."""
    number = 0
    while number < len(file):
        if file[number] == Token("name", "func") and number + 1 < len(file) and file[number + 1].kind == "name":
            start = next((at for at in range(number, len(file)) if _is(file, at, "{")), len(file))
            end = _closing(file, start)
            yield file[number + 1].value, file[start:end]
            number = end
        number += 1


def _closing(file: list[Token], start: int) -> int:
    depth = 0
    for number in range(start, len(file)):
        if file[number].kind == "mark":
            depth += {"{": 1, "(": 1, "[": 1, "}": -1, ")": -1, "]": -1}.get(file[number].value, 0)
            if depth == 0:
                return number
    return len(file)


def _read(body: list[Token], constants: Mapping[str, str]) -> Function:
    found = Function()
    end = 0
    for number, token in enumerate(body):
        if token.kind != "name" or number < end:
            continue
        if token.value == "Command" and _is(body, number + 1, "{"):
            # Skipped up to its end: the function that a command runs declares no commands.
            end = _closing(body, number + 1)
            found.commands.append(_fields(body[number + 2 : end], constants))
        elif token.value == "AddCommand" and _is(body, number + 1, "("):
            found.children += _called(body[number + 2 : _closing(body, number + 1)])
        elif _FLAG.fullmatch(token.value) and _is(body, number - 1, ".") and _is(body, number + 1, "("):
            found.flags += _flag(token.value, body[number + 2 : _closing(body, number + 1)], constants)
        elif _is(body, number + 1, "(") and not _is(body, number - 1, "."):
            found.calls.append(token.value)
    return found


def _called(inside: list[Token]) -> list[str]:
    return [token.value for at, token in enumerate(inside) if token.kind == "name" and _is(inside, at + 1, "(")]


def _fields(inside: list[Token], constants: Mapping[str, str]) -> dict[str, str]:
    """The fields of a `cobra.Command{…}` that are texts; nested functions are passed over."""
    found: dict[str, str] = {}
    number = 0
    while number < len(inside):
        token = inside[number]
        if token.kind == "mark" and token.value in "{([":
            number = _closing(inside, number)
        elif token.value in _FIELDS and _is(inside, number + 1, ":"):
            value, _ = _text(inside, number + 2, constants)
            if value is not None:
                found[token.value] = value
            elif token.value == "Hidden" and inside[number + 2].value == "true":
                found["Hidden"] = "true"
        number += 1
    return found


def _flag(function: str, inside: list[Token], constants: Mapping[str, str]) -> Iterator[Flag]:
    """What a call adds: the first text is its name, with P the second its letter, the last says what it does."""
    texts: list[str] = []
    for argument in _arguments(inside):
        value, _ = _text(argument, 0, constants)
        if value is not None:
            texts.append(value)
    short = texts.pop(1) if function.endswith("P") and len(texts) > 2 else ""
    if len(texts) >= 2 and re.fullmatch(r"[a-z][a-z0-9-]*", texts[0]):
        yield Flag(texts[0], short, " ".join(texts[-1].split()))


def _arguments(inside: list[Token]) -> Iterator[list[Token]]:
    part: list[Token] = []
    depth = 0
    for token in inside:
        depth += {"{": 1, "(": 1, "[": 1, "}": -1, ")": -1, "]": -1}.get(token.value, 0) if token.kind == "mark" else 0
        if depth == 0 and token == Token("mark", ","):
            yield part
            part = []
        else:
            part.append(token)
    yield part


def _text(body: Sequence[Token], number: int, constants: Mapping[str, str]) -> tuple[str | None, int]:
    """A text put together with +, of literals and known names, or what a formatting call starts with."""
    parts: list[str] = []
    while number < len(body):
        token = body[number]
        if token.kind == "string":
            parts.append(token.value)
        elif token.kind == "name" and token.value in constants:
            parts.append(constants[token.value])
        elif token.kind == "name" and _is(body, number + 1, ".") and not parts:
            # fmt.Sprintf("…") and heredoc.Doc(`…`) have the text as their first argument.
            opening = number + 3
            return _text(body, opening + 1, constants) if _is(body, opening, "(") else (None, number)
        else:
            break
        number += 1
        if not _is(body, number, "+"):
            break
        number += 1
    return ("".join(parts) if parts else None), number


def _is(body: Sequence[Token], number: int, mark: str) -> bool:
    return 0 <= number < len(body) and body[number] == Token("mark", mark)
