"""What a model reads of a foreign server's answer: redacted, within the budget, and marked as others' words."""

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

import mcp_types
from fastmcp.tools import ToolResult
from pydantic import TypeAdapter

from kmcp_runtime import redaction
from kmcp_runtime.errors import ToolFailure
from kmcp_runtime.foreign.scrubbing import clean, scrub
from kmcp_runtime.output.bound import BYTES_PER_TOKEN, HARD_CAP_TOKENS
from kmcp_runtime.output.render import UNTRUSTED_META, framed

_MEDIA = ("image", "audio")
_MEDIA_TYPE = re.compile(r"(image|audio)/[A-Za-z0-9.+-]{1,64}(?:; ?[a-z]{1,16}=[A-Za-z0-9.,-]{1,64})?")
LARGEST_MEDIA = 2 << 20
"""Bytes of all pictures and sounds of one answer, in base64: they are no text, and count in no budget of tokens."""
_LONGEST_FAULT = 2000
_SMALL = 4096
"""Characters of texts and names, and 16 for each value."""
_CUT = "hint: Cut to the token budget: ask for less."
_BLOCK: TypeAdapter[Any] = TypeAdapter(mcp_types.ImageContent | mcp_types.AudioContent)


def answer(server: str, tool: str, result: Mapping[str, Any], tokens: int) -> ToolResult:
    """The result as callers get it. Errors: a `ToolFailure` with the server's words, where the tool failed there."""
    blocks = result.get("content")
    blocks = [block for block in blocks if isinstance(block, dict)] if isinstance(blocks, list) else []
    told = "\n".join(text for text in map(_text, blocks) if text)
    structured = result.get("structuredContent")
    structured = redaction.value(scrub(structured)) if isinstance(structured, dict) else None
    if not told and structured is not None:
        told = json.dumps(structured, ensure_ascii=False)
    told = redaction.text(clean(told, len(told)))
    if result.get("isError") is True:
        said = clean(told, _LONGEST_FAULT) or "it does not say why"
        raise ToolFailure("conflict", said, f"this is what {server} says of {tool}", backend=server)
    limit = min(tokens, HARD_CAP_TOKENS) * BYTES_PER_TOKEN
    shown, is_cut = _within(told, limit)
    if structured is not None and len(json.dumps(structured, ensure_ascii=False).encode()) > limit:
        structured, is_cut = None, True
    text = "\n".join([*([framed(shown)] if shown else ["(no text)"]), *([_CUT] if is_cut else [])])
    content = [mcp_types.TextContent(type="text", text=text), *_media(blocks)]
    return ToolResult(content=content, structured_content=structured, meta={UNTRUSTED_META: [""]})


def is_small(result: Mapping[str, Any]) -> bool:
    """Whether an answer is read in less time than it takes to hand it to a thread."""
    left, waiting = _SMALL, [result]
    while waiting and left > 0:
        node: Any = waiting.pop()
        left -= len(node) if isinstance(node, str) else 16
        if isinstance(node, Mapping):
            left -= sum(map(len, node))
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node
    return left > 0


def _text(block: Mapping[str, Any]) -> str:
    """What a block says in words; a link and an attached text count as that."""
    inner = block.get("resource") if block.get("type") == "resource" else None
    if isinstance(inner, dict):
        found = inner.get("text")
        return found if isinstance(found, str) else f"(attached: {inner.get('uri', 'without an address')!s:.200})"
    if block.get("type") == "resource_link":
        return f"(link: {block.get('name', '')!s:.200} {block.get('uri', '')!s:.500})"
    found = block.get("text") if block.get("type") == "text" else None
    return found if isinstance(found, str) else ""


def _media(blocks: list[dict[str, Any]]) -> list[Any]:
    found: list[Any] = []
    left = LARGEST_MEDIA
    for block in blocks:
        if block.get("type") not in _MEDIA:
            continue
        data = block.get("data")
        left -= len(data) if isinstance(data, str) else 0
        try:
            if left < 0:
                raise ValueError
            found.append(_BLOCK.validate_python(_picture(block)))
        except ValueError:
            found.append(mcp_types.TextContent(type="text", text=f"({block.get('type')} left out: malformed or large)"))
    return found


def _picture(block: Mapping[str, Any]) -> dict[str, str]:
    """The block rebuilt from what is known of it: anything else could be words that nothing has looked at.

    Errors: ValueError where no client can show it: models' interfaces refuse a whole conversation for one such picture.
    """
    data, kind = block.get("data"), _MEDIA_TYPE.fullmatch(str(block.get("mimeType")))
    if kind is None or kind[1] != block["type"] or not data or not isinstance(data, str):
        raise ValueError
    data = data.replace("\r", "").replace("\n", "")
    base64.b64decode(data, validate=True)
    return {"type": block["type"], "data": data, "mimeType": kind[0]}


def _within(text: str, limit: int) -> tuple[str, bool]:
    """The lines that fit into a number of bytes, and whether something is left out."""
    raw = text.encode(errors="replace")
    if len(raw) <= limit:
        return text, False
    kept = raw[:limit].decode(errors="ignore")
    return kept.rpartition("\n")[0] or kept, True
