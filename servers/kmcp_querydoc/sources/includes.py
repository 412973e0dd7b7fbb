"""Include directives, replaced by the content of their files before a document is parsed."""

import re
from collections.abc import Iterator
from pathlib import Path

_RST = re.compile(
    r"^([ \t]*)\.\.[ \t]+(include|literalinclude)::[ \t]*(\S+)[ \t]*$\n?((?:\1[ \t]+:[^\n]*\n?)*)", re.MULTILINE
)
_ASCIIDOC = re.compile(r"^()(include)::([^\s\[]+)\[([^\]]*)\][ \t]*$", re.MULTILINE)
_LANGUAGE = re.compile(r":language:[ \t]*(\S+)")
FORMATS = {"restructured": _RST, "asciidoc": _ASCIIDOC}
# A file may include itself; this ends it.
_DEEPEST = 4
_LARGEST = 1024 * 1024


def put_in(text: str, file: Path, root: Path, form: str) -> tuple[str, set[Path]]:
    """The text with its includes resolved, and the files used; what is missing or outside the root is left out."""
    used: set[Path] = set()
    return _expanded(text, file, root.resolve(), form, used, 0), used


def _expanded(text: str, file: Path, root: Path, form: str, used: set[Path], depth: int) -> str:
    def replacement(match: re.Match[str]) -> str:
        target = _target(match[3], file, root)
        # As in a published page: a missing include leaves nothing behind.
        if target is None or depth >= _DEEPEST:
            return ""
        content = target.read_text(encoding="utf-8", errors="replace")
        if match[2] == "literalinclude":
            return "\n".join(_literal(content, match[1], match[4]))
        used.add(target)
        inner = _expanded(content, target, root, form, used, depth + 1)
        return "\n".join(f"{match[1]}{line}" if line else "" for line in inner.split("\n")) + "\n"

    return FORMATS[form].sub(replacement, text)


def _target(name: str, file: Path, root: Path) -> Path | None:
    """The included file; a path that starts with / is below the documentation's root, one of the folders above."""
    bases = [file.parent, *file.parent.parents] if name.startswith("/") else [file.parent]
    candidates = ((base / name.lstrip("/")).resolve() for base in bases)
    inside = (target for target in candidates if target.is_relative_to(root) and target.is_file())
    return next((target for target in inside if target.stat().st_size <= _LARGEST), None)


def _literal(content: str, indent: str, options: str) -> Iterator[str]:
    language = _LANGUAGE.search(options)
    yield f"{indent}.. code-block:: {language[1] if language else ''}"
    yield ""
    yield from (f"{indent}   {line}" if line else "" for line in content.rstrip("\n").split("\n"))
    yield ""
