"""Marks inside a text of several lines that was changed elsewhere: lines with marks are put back as they are live.

A line is put back only where it stands as it stood: the same line, below the same headings (the section of an INI file,
the less indented lines above it), in the same order; and where the line alone does not say what it is, between the same
neighbours.
"""

import re
from dataclasses import dataclass

from kmcp_runtime.redaction.cleaning import clean
from kmcp_runtime.redaction.marks import HIDDEN, MARK
from kmcp_runtime.redaction.texts import hide_in_text

MOST_LINES = 20_000
_SECTION = re.compile(r"\[[^\]]*\]")


@dataclass(frozen=True)
class _Line:
    text: str
    heading: int
    """Number of the chain of headings above it, the same in both texts."""


def restore_lines(sent: str, live: str, shown: str) -> str | None:
    """The text that was sent with its marked lines as they are live; None when that is not certain."""
    if clean(live) != live or max(sent.count("\n"), live.count("\n")) > MOST_LINES:
        return None
    originals = _correspond(shown.split("\n"), live.split("\n"))
    if originals is None:
        return None
    chains: dict[tuple[int, str], int] = {}
    ours, theirs = _lines(sent, chains), _lines(shown, chains)
    out: list[str] = []
    position = 0
    for number, line in enumerate(ours):
        if not MARK.search(line.text):
            out.append(line.text)
            continue
        position = _find(ours, number, theirs, position, originals)
        if position < 0:
            return None
        out.append(originals[position])
        position += 1
    return "\n".join(out)


def _correspond(shown: list[str], live: list[str]) -> dict[int, str] | None:
    """What each marked line stands for; a mark may stand for several lines if it is the only one."""
    marked = [number for number, line in enumerate(shown) if MARK.search(line)]
    if len(shown) == len(live):
        same = all(one == other for one, other in zip(shown, live, strict=True) if not MARK.search(one))
        return {number: live[number] for number in marked} if same else None
    if len(marked) != 1:
        return None
    first = marked[0]
    behind = len(shown) - first - 1
    end = len(live) - behind
    if end <= first or shown[:first] != live[:first] or shown[first + 1 :] != live[end:]:
        return None
    return {first: "\n".join(live[first:end])}


def _lines(text: str, chains: dict[tuple[int, str], int]) -> list[_Line]:
    found: list[_Line] = []
    above: list[tuple[int, int]] = []
    section = 0
    for line in text.split("\n"):
        stripped = line.strip()
        depth = len(line) - len(line.lstrip(" \t"))
        while above and stripped and above[-1][0] >= depth:
            above.pop()
        if _SECTION.fullmatch(stripped) and not MARK.search(stripped):
            section = chains.setdefault((-1, stripped), len(chains) + 1)
        heading = above[-1][1] if above else section
        found.append(_Line(line, heading))
        if stripped:
            above.append((depth, chains.setdefault((heading, stripped), len(chains) + 1)))
    return found


def _find(ours: list[_Line], number: int, theirs: list[_Line], start: int, originals: dict[int, str]) -> int:
    """Which live line it is, from `start` on; -1 when none is, or several could be."""
    line = ours[number]
    found = [at for at in originals if at >= start and theirs[at] == line]
    if not found or len({originals[at] for at in found}) > 1 or HIDDEN in line.text:
        return -1
    if _speaks_for_itself(line.text, originals[found[0]]):
        return found[0]
    before, after = _neighbours(ours, number)
    near = [at for at in found if _neighbours(theirs, at) == (before, after)]
    return near[0] if len(near) == 1 else -1


def _speaks_for_itself(shown: str, live: str) -> bool:
    """Whether the line would be hidden without the lines around it, so that its own name says what it is."""
    name = shown.lstrip()[:1] not in ("<", "[", "")
    return name and MARK.sub(HIDDEN, shown) == MARK.sub(HIDDEN, hide_in_text(live))


def _neighbours(lines: list[_Line], number: int) -> tuple[str, str]:
    before = lines[number - 1].text if number else ""
    after = lines[number + 1].text if number + 1 < len(lines) else ""
    return before, after
