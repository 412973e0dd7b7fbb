"""Whether the lines of an audit are those that were written: all of them, in order, not one byte changed.

Each chain is followed by itself, since stderr of several processes may be mixed. What is wrong is told of the first
line that shows it; the check goes on from there, so that the end of each chain is known.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from kmcp_runtime.audit.chain import GENESIS, KEYED, MARK, Link, read_link

MOST_FAULTS = 100
_LONGEST_READ = 1 << 20
_NEAR = 10_000
"""Hashes of so many last lines of a chain are remembered, to tell a copy from a line that was moved."""
# What may stand before a line of ours: of `kubectl logs --prefix --timestamps`, of container runtimes, of compose.
_PREFIX = re.compile(
    rb"(?:\[[^\]\"]{1,300}\] ?)?(?:[\w.-]{1,100} +\| )?(?:\d{4}-\d\d-\d\dT[0-9:.]{8,30}(?:Z|[+-]\d\d:?\d\d) )?"
    rb"(?:(?:stdout|stderr) [FP] )?"
)


@dataclass(frozen=True)
class Fault:
    """What is wrong, at the first line that shows it."""

    file: str
    line: int
    kind: str
    text: str


@dataclass(frozen=True)
class _Torn:
    """A line of ours that cannot be read whole; `ended`: it is not the end of its file."""

    file: str
    number: int
    line: bytes
    ended: bool


@dataclass
class _Waiting:
    """Numbers of a chain that were skipped: missing, unless they come later."""

    first: int
    last: int
    fault: int
    """Number of the fault that told so."""


@dataclass
class State:
    """How far one chain has been followed."""

    name: str
    began: int
    seq: int
    head: str
    lines: int = 0
    keyed: int = 0
    last_time: str = ""
    clock_set_back: bool = False
    in_file: bool = False
    """Whether lines about a file are among its lines: then a `stop` should be the last."""
    stopped: bool = False
    recent: dict[str, None] = field(default_factory=dict)
    """Hashes of its last lines, in their order."""
    gaps: list[_Waiting] = field(default_factory=list)


class Verification:
    """Feed it lines, then ask what it found."""

    def __init__(self, key: bytes | None = None, partial: bool = False, heads: Iterable[str] = ()) -> None:
        """`partial`: the beginning may be missing. `heads`: hashes that must be there, each maybe after `number:`."""
        self.notes: list[str] = []
        self.more_faults = 0
        self._found: dict[int, Fault] = {}
        self._numbered = 0
        self.chains: dict[str, State] = {}
        self.lines = self.others = 0
        self.has_key = bool(key)
        self._key, self._partial = key, partial
        self._wanted = {head.rpartition(":")[2].lower(): head for head in heads}
        self._torn: _Torn | None = None
        self._cut_off: list[_Torn] = []

    @property
    def faults(self) -> list[Fault]:
        """In the order in which their lines stand."""
        return [self._found[number] for number in sorted(self._found)]

    def feed(self, file: str, number: int, line: bytes, whole: bool = True) -> None:
        """A line without its end; `whole` is false for the last one of a file that does not end."""
        if (found := _own(line)) is None:
            self.others += 1
            return
        link = read_link(found)
        if link is None or not whole:
            self._finish_torn()
            self._torn = _Torn(file, number, found, whole)
            return
        self.lines += 1
        record = self._checked(file, number, link, found)
        self._settle_torn(record)
        self._follow(file, number, link)
        state = self.chains[link.chain]
        self._read(file, number, record, state)
        self._wanted.pop(link.hash, None)

    def finish(self) -> None:
        """Nothing more comes: what is missing by now is missing."""
        self._finish_torn()
        for head in self._wanted.values():
            text = f"no line has the hash {head[:90]}: the end was cut, or lines were replaced"
            self._add("", 0, "cut", text)
        for torn in self._cut_off:
            rest = "" if self._found else "; everything before it is intact"
            text = f"the last line is cut off (a process was killed while it wrote){rest}"
            self.notes.append(f"{torn.file}, line {torn.number}: {text}")
        if not self._key and any(state.keyed for state in self.chains.values()):
            self.notes.append("lines are sealed with a key; without --key-file only their order was checked")
        for state in self.chains.values():
            if state.clock_set_back:
                self.notes.append(f"chain {state.name}: a clock was set back; the order is that of the numbers")
            if state.in_file and not state.stopped:
                text = "no stop is at its end: a process still writes, was killed, or the end was cut (--head shows it)"
                self.notes.append(f"chain {state.name}: {text}")

    def _checked(self, file: str, number: int, link: Link, line: bytes) -> dict[str, Any]:
        """The record of a line, after its hash was compared with its content."""
        if self._key and link.algorithm != KEYED:
            self._add(file, number, "unsealed", f"line {link.seq} is not sealed with the key, as all lines must be")
        elif (self._key or link.algorithm != KEYED) and not link.fits(self._key):
            why = "its content is not what its hash says" + (", or the key is another one" if self._key else "")
            self._add(file, number, "changed", f"line {link.seq} was changed: {why}")
        try:
            record = json.loads(line)
        except ValueError:
            return {}  # Only a line whose hash does not fit can be none, which is told already.
        return record if isinstance(record, dict) else {}

    def _follow(self, file: str, number: int, link: Link) -> None:
        state = self.chains.get(link.chain)
        if state is None:
            self._begin(file, number, link)
            return
        state.lines += 1
        state.keyed += link.algorithm == KEYED
        if link.seq <= state.seq:
            self._earlier(file, number, link, state)
            return
        if link.seq > state.seq + 1:
            text = f"{_numbers(state.seq + 1, link.seq - 1)} missing before line {link.seq}"
            state.gaps.append(_Waiting(state.seq + 1, link.seq - 1, self._add(file, number, "missing", text)))
        elif link.previous != state.head:
            text = f"line {link.seq} does not follow line {state.seq} as it is here: one of them was replaced"
            self._add(file, number, "replaced", text)
        _advance(state, link)

    def _begin(self, file: str, number: int, link: Link) -> None:
        state = State(link.chain, link.seq, link.seq - 1, link.previous)
        self.chains[link.chain] = state
        state.lines, state.keyed = 1, int(link.algorithm == KEYED)
        if link.seq == 1 and link.previous != GENESIS:
            self._add(file, number, "replaced", "the first line does not begin a chain")
        if link.seq > 1 and not self._partial:
            text = (
                f"the chain begins with line {link.seq} here: {_numbers(1, link.seq - 1)} missing. Name "
                "older files too, or pass --partial if they may be missing"
            )
            state.gaps.append(_Waiting(1, link.seq - 1, self._add(file, number, "beginning", text)))
        _advance(state, link)

    def _earlier(self, file: str, number: int, link: Link, state: State) -> None:
        """A line whose number has passed already."""
        if link.hash in state.recent:
            self._add(file, number, "duplicate", f"line {link.seq} stands here a second time")
            return
        gap = next((each for each in state.gaps if each.first <= link.seq <= each.last), None)
        if gap is None:
            text = f"line {link.seq} stands here after line {state.seq}, and is not the line {link.seq} of before"
            self._add(file, number, "replaced", text)
            return
        state.recent[link.hash] = None
        found = self._found.get(gap.fault)
        if found is not None and found.kind != "order":
            text = f"lines are not in order: line {link.seq} comes later, at line {number} of {file}"
            self._found[gap.fault] = Fault(found.file, found.line, "order", text)

    def _read(self, file: str, number: int, record: dict[str, Any], state: State) -> None:
        """What a line says about the file."""
        time = record.get("time")
        if isinstance(time, str):
            state.clock_set_back |= time < state.last_time
            state.last_time = time
        if record.get("event") != "file":
            state.stopped = False
            return
        state.in_file = True
        what = record.get("what")
        state.stopped = what == "stop"
        if what == "lost":
            self.notes.append(f"{record.get('count')} lines could not be written ({file}, line {number})")
        elif what == "shorter":
            text = f"the writer found fewer lines than it had written: up to line {record.get('expected')}"
            self._add(file, number, "shorter", text)
        elif what == "rotated":
            self._accept_removed(record.get("removed_to"), state)

    def _accept_removed(self, removed_to: Any, state: State) -> None:
        """Rotation says which lines it has removed; a chain that begins right after them has its beginning."""
        gap = next((each for each in state.gaps if each.first == 1), None)
        if isinstance(removed_to, int) and gap is not None and gap.last <= removed_to:
            self._found.pop(gap.fault, None)

    def _finish_torn(self) -> None:
        """What could not be read was not explained by the line after it."""
        torn, self._torn = self._torn, None
        if torn is None:
            return
        if not torn.ended:
            # As where the end was cut between two lines, which leaves no trace: lines that are missing are told.
            self._cut_off.append(torn)
            return
        kind, why = ("changed", "it was changed") if torn.line.endswith(b"}") else ("torn", "its writer was killed")
        self._add(torn.file, torn.number, kind, f"this is no whole line of the audit: {why}, or somebody cut it")

    def _settle_torn(self, record: dict[str, Any]) -> None:
        """What is left of a line is no fault where the writer itself found it, and said so in the next line."""
        if self._torn is None:
            return
        torn = self._torn
        told = record.get("event") == "file" and record.get("what") == "torn"
        if told and record.get("torn_sha256") == hashlib.sha256(torn.line).hexdigest():
            self._torn = None
            text = "what is left of a line; its writer was killed, as the next says"
            self.notes.append(f"{torn.file}, line {torn.number}: {text}")
        else:
            self._finish_torn()

    def _add(self, file: str, number: int, kind: str, text: str) -> int:
        """Note a fault; answers its number."""
        self._numbered += 1
        if len(self._found) < MOST_FAULTS:
            self._found[self._numbered] = Fault(file, number, kind, text)
        else:
            self.more_faults += 1
        return self._numbered


def _own(line: bytes) -> bytes | None:
    """The part of a line that is ours; None for a line of another program."""
    line = line.rstrip(b"\r")
    at = line.find(MARK, 0, 600)
    prefix = _PREFIX.match(line)
    begin = prefix.end() if prefix else 0
    if at >= 0:
        # Words that another program wrote down may look like a line of ours, and begin where none of ours does.
        return None if line[begin:at].strip() else line[at:]
    rest = line[begin:]
    # Its beginning was changed: it is one of ours all the same.
    if rest[1 : len(MARK)] == MARK[1:] or (rest[:1] == b"{" and read_link(rest)):
        return rest
    # Written otherwise than we write: whoever reads records takes it for one.
    rest = rest.strip()
    return rest if _says_audit(rest) else None


def _says_audit(line: bytes) -> bool:
    if line[:1] != b"{" or len(line) > _LONGEST_READ or not (b"audit" in line or b"\\u" in line):
        return False
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(record, dict) and record.get("log") == "audit"


def _advance(state: State, link: Link) -> None:
    state.seq, state.head = link.seq, link.hash
    state.recent[link.hash] = None
    if len(state.recent) > _NEAR:
        del state.recent[next(iter(state.recent))]


def _numbers(first: int, last: int) -> str:
    return f"line {first} is" if first == last else f"lines {first} to {last} are"
