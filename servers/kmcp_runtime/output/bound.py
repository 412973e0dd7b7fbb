"""The token budget of an answer: text and structured content are cut at the same place, and both say so.

A token is counted as four bytes of UTF-8. The default budget is 8,000 tokens for each of the two (a client shows its
model one of them), the hard cap 20,000.
"""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from kmcp_runtime import redaction
from kmcp_runtime.output import trees
from kmcp_runtime.output.render import render
from kmcp_runtime.output.results import Continued, Rendered, Result

BYTES_PER_TOKEN = 4
DEFAULT_TOKENS = 8_000
HARD_CAP_TOKENS = 20_000
_LONGEST_HINT = 1_000
_SHORTENED = "… (cut)"
_NARROW = "Cut to the token budget: ask for less (a selector, a name, fewer fields, a smaller limit)."
_END = "What is shown is the end."

Content = dict[str, Any]
Write = Callable[[Content], str]
"""Makes the text of a content."""


def finish(result: Result, tokens: int = DEFAULT_TOKENS) -> tuple[Content, str]:
    """The structured content and the text of a result: redacted, within the budget, cut at the same place."""
    limit = min(tokens, HARD_CAP_TOKENS) * BYTES_PER_TOKEN
    content = plain(result)
    write = partial(render, frame=not result.own, form=result.form)
    if size(content) <= limit and len((text := write(content)).encode()) <= limit:
        return content, text
    if result.cuttable and content.get(result.cuttable):
        content = _cut(result, content, limit, write)
    if not _fits(content, write, limit):
        content = _shrink(content, limit, write)
    return content, write(content)


def plain(result: Result) -> Content:
    """The result as redacted JSON data without its empty fields."""
    content = result.model_dump(mode="python", exclude_none=True)
    shown = redaction.value(_rendered(content) if _holds_rendered(content) else content)
    if "cursor" in content:
        # Made here of packed positions, which by chance look like any token; with a part hidden it leads nowhere.
        shown["cursor"] = content["cursor"]
    return _without_none(shown)


def size(content: Mapping[str, Any]) -> int:
    """Bytes of the content as compact JSON."""
    return len(json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode())


def _holds_rendered(content: Content) -> bool:
    """Whether some field still is to become text; asked of the JSON encoder, which is faster than a walk of our own."""
    try:
        json.dumps(content)
    except TypeError:
        return True
    return False


def _rendered(node: Any) -> Any:
    if isinstance(node, Rendered):
        return node.render(redaction.value)
    if isinstance(node, dict):
        return {key: _rendered(item) for key, item in node.items()}
    if isinstance(node, list | tuple):
        return [_rendered(item) for item in node]
    return node


def _without_none(content: Content) -> Content:
    return {key: item for key, item in content.items() if item is not None and (key != "warnings" or item)}


def _fits(content: Content, write: Write, limit: int) -> bool:
    # The text last: of many objects as YAML it takes seconds to make.
    return size(content) <= limit and len(write(content).encode()) <= limit


def _cut(result: Result, content: Content, limit: int, write: Write) -> Content:
    """Keep as many leading items (or lines) as fit, or trailing ones; found by bisection, since sizes only grow."""
    assert result.cuttable is not None
    whole = content[result.cuttable]
    parts = _parts(whole)

    def keeping(count: int) -> Content:
        part = parts[len(parts) - count :] if result.keeps_end else parts[:count]
        kept = "\n".join(part) if isinstance(whole, str) else trees.built(part) if isinstance(whole, dict) else part
        return _marked(result, {**content, result.cuttable or "": kept}, count, whole)

    def fits(count: int) -> bool:
        return _fits(keeping(count), write, limit)

    return keeping(_largest(len(parts), fits))


def _parts(whole: Any) -> list[Any]:
    """What is kept or left out as one: lines of a text, items of a list, leaves of an object."""
    if isinstance(whole, str):
        return whole.split("\n")
    return list(trees.leaves(whole)) if isinstance(whole, dict) else list(whole)


def _largest(upper: int, fits: Callable[[int], bool]) -> int:
    lower = 0
    while lower < upper:
        middle = (lower + upper + 1) // 2
        if fits(middle):
            lower = middle
        else:
            upper = middle - 1
    # At least one item, even over the budget: `_shrink` then cuts within it.
    return max(lower, 1)


def _marked(result: Result, content: Content, kept: int, whole: Any) -> Content:
    hint = _with_narrowing(content.get("hint"))
    content = {**content, "truncated": True, "hint": f"{hint} {_END}" if result.keeps_end else hint}
    cursor = result.cursor_after(kept) if isinstance(result, Continued) else None
    if cursor:
        content["cursor"] = cursor
    if "returned" in content:
        content["returned"] = kept
    elif "bytes_total" in type(result).model_fields and "bytes_total" not in content:
        content["bytes_total"] = size(whole) if isinstance(whole, dict) else len(_as_text(whole).encode())
    return content


def _as_text(whole: str | list[Any]) -> str:
    return whole if isinstance(whole, str) else "\n".join(str(item) for item in whole)


def _with_narrowing(hint: str | None) -> str:
    # It is not cut like the rest of an answer, and may repeat an argument.
    hint = hint and (hint if len(hint) <= _LONGEST_HINT else hint[:_LONGEST_HINT] + _SHORTENED)
    return f"{hint} {_NARROW}" if hint and _NARROW not in hint else _NARROW


def _shrink(content: Content, limit: int, write: Write) -> Content:
    """Halve the largest text or list, again and again: for answers without one part that is made to be cut."""
    # A deep copy through JSON: the parts are cut in place, and the caller keeps the whole result.
    content = json.loads(json.dumps({**content, "hint": _with_narrowing(content.get("hint"))}))
    if "truncated" in content or "items" in content:
        content["truncated"] = True
    # Each round halves something, so 200 are far more than any answer needs; a fault here must not loop for ever.
    for _ in range(200):
        if _fits(content, write, limit):
            break
        parent, key = _largest_part(content)
        part = parent[key]
        if isinstance(part, list):
            parent[key] = part[: len(part) // 2]
        elif isinstance(part, dict):
            parent[key] = dict(list(part.items())[: len(part) // 2])
        else:
            parent[key] = part[: max(len(part) // 2 - len(_SHORTENED), 0)] + _SHORTENED
    return content


def _largest_part(content: Content) -> tuple[Any, Any]:
    """Where the largest leaf text, or the largest collection of small ones, is kept."""
    parent: Any = content
    key = max((name for name in content if name != "hint"), key=lambda name: len(json.dumps(content[name])))
    while True:
        node = parent[key]
        children = (
            list(node.items()) if isinstance(node, dict) else list(enumerate(node)) if isinstance(node, list) else []
        )
        if not children:
            return parent, key
        child, value = max(children, key=lambda pair: len(json.dumps(pair[1])))
        # No child is half of it: many small ones, so the collection itself is cut.
        if len(json.dumps(value)) * 2 < len(json.dumps(node)):
            return parent, key
        parent, key = node, child
