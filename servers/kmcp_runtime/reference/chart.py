"""The page of the chart's values: a chapter for each value at the top, with its comments as they are."""

import re

from kmcp_runtime.reference.markdown import page as joined

_ABOUT = """\
The values of `charts/kmcp`, with their defaults and what they mean. `values.schema.json` beside them is checked by Helm
before anything is installed."""
_KEY = re.compile(r"^([A-Za-z]\w*):", re.MULTILINE)


def page(text: str) -> str:
    keys = list(_KEY.finditer(text))
    parts = ["# Values of the chart", _ABOUT]
    begin = 0
    for key, following in zip(keys, [*keys[1:], None], strict=True):
        end = _before_comments(text, following.start()) if following else len(text)
        parts.append(f"## {key[1]}\n\n```yaml\n{text[begin:end].strip()}\n```")
        begin = end
    return joined(*parts)


def _before_comments(text: str, at: int) -> int:
    """The comment lines right above a value belong to it."""
    lines = text[:at].splitlines(keepends=True)
    while lines and lines[-1].startswith("#"):
        at -= len(lines.pop())
    return at
