"""The page of the documentation that shows values as helm and this suite read them: `python -m tests.helm.values_page`.

A test makes the same page with the helm binary beside the tool, so it says what both do.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kmcp_runtime.reference import markdown
from tests.helm.test_set import ECHO, TEXTS, VALUES, printed

PAGE = Path("docs/reference/helm-values.md")
_INTRODUCTION = """\
# Helm values against helm

Values as text are read as helm reads them, and a text for `set` is read by helm itself. The tables show what the helm
binary makes of texts where readers of YAML differ; tests give each to the tool and to the binary and compare."""
_BASE = '{"base": {"x": 1}, "list": [{"b": 1}, {"b": 2}]}'


def page(helm: Path) -> str:
    """The page, made with the binary."""
    values = [(_code(text), _difference(_render(helm, "{}"), _render(helm, text))) for text in VALUES]
    sets = [(_code(text), _set(helm, text)) for text in TEXTS]
    text = markdown.page(
        _INTRODUCTION,
        "## Values as text",
        markdown.table(("Text", "Values"), values),
        "## `set` as text",
        f"Over the values `{_BASE}`.",
        markdown.table(("Text", "What changes"), sets),
    )
    return text.replace(markdown.NOTE, "<!-- Made with the helm binary by `python -m tests.helm.values_page HELM`. -->")


def _set(helm: Path, text: str) -> str:
    ended = _render(helm, _BASE, f"--set={text}")
    if ended.returncode:
        return "refused"
    return _difference(_render(helm, _BASE), ended)


def _difference(*ended: subprocess.CompletedProcess[str]) -> str:
    before, after = (_own(each) for each in ended)
    changed = {key: value for key, value in after.items() if before.get(key) != value or key not in before}
    gone = "".join(f" without `{key}`" for key in before if key not in after)
    return _code(json.dumps(changed, ensure_ascii=False)) + gone


def _render(helm: Path, values: str, *flags: str) -> subprocess.CompletedProcess[str]:
    argv = [str(helm), "template", "echo", ECHO, "--values=-", *flags]
    return subprocess.run(argv, input=values, capture_output=True, text=True, check=False)


def _own(ended: subprocess.CompletedProcess[str]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = printed(ended.stdout)
    return found


def _code(text: str) -> str:
    return markdown.code(text.rstrip("\n").replace("\n", "⏎")) if "`" not in text else text


if __name__ == "__main__":
    PAGE.write_text(page(Path(sys.argv[1])))
