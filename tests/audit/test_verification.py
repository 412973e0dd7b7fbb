"""`kmcp-suite audit verify`: whatever was done to the lines is found, and named; what was not is not."""

import gzip
import io
import json
import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmcp_runtime.audit.audit_command import main
from kmcp_runtime.audit.chain import Chain, read_link
from kmcp_runtime.audit.verification import Verification
from tests.audit.making import verify, written

CALLS = 8


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.log"


def chained(count: int, key: bytes | None = None, name: str = "c0ffee") -> list[bytes]:
    """The lines of a chain."""
    chain = Chain(name, key)
    lines = []
    for number in range(count):
        sealed = chain.seal({"event": "call", "time": "2026-11-30T04:00:00.000+00:00", "request": f"r{number}"})
        chain.add(sealed)
        lines.append(sealed.line.rstrip(b"\n"))
    return lines


def faults_of(lines: list[bytes], **options: object) -> list[tuple[str, int]]:
    """Kind and line of each fault."""
    found = Verification(**options)  # type: ignore[arg-type]  # options of tests
    for number, line in enumerate(lines, 1):
        found.feed("f", number, line)
    found.finish()
    return [(fault.kind, fault.line) for fault in found.faults]


LINES = chained(CALLS)
KEY = b"k" * 32
SEALED = chained(CALLS, KEY)


def test_an_untouched_audit_is_intact_and_its_head_is_told(path: Path) -> None:
    lines = written(path, CALLS)
    code, found = verify(path)
    assert (code, found["intact"], found["faults"], found["notes"]) == (0, True, [], [])
    assert [(each["first"], each["last"], each["lines"]) for each in found["chains"]] == [(1, CALLS + 2, CALLS + 2)]
    link = read_link(lines[-1].rstrip(b"\n"))
    assert link is not None
    assert found["chains"][0]["head"] == f"{link.seq}:{link.hash}"


@settings(max_examples=400, deadline=None)
@given(st.integers(0, CALLS - 1), st.data())
def test_any_changed_byte_is_found_at_its_line(which: int, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(LINES[which]) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda each: each != LINES[which][at] and each not in (10, 13)))
    changed = [*LINES]
    changed[which] = changed[which][:at] + bytes([byte]) + changed[which][at + 1 :]
    found = faults_of(changed, heads=[LINES[-1][-66:-2].decode()])
    assert found
    # A line that is no line any more is missing, and so found at the one after it.
    assert found[0][1] in (which + 1, which + 2, 0), found


@given(st.integers(0, CALLS - 2))
def test_a_missing_line_is_found_where_the_next_stands(which: int) -> None:
    kind = "beginning" if which == 0 else "missing"
    assert faults_of(LINES[:which] + LINES[which + 1 :]) == [(kind, which + 1)]


@given(st.integers(0, CALLS - 1), st.integers(0, CALLS - 1))
def test_swapped_lines_are_called_out_of_order(one: int, two: int) -> None:
    swapped = [*LINES]
    swapped[one], swapped[two] = swapped[two], swapped[one]
    found = faults_of(swapped)
    assert bool(found) == (one != two)
    if found:
        assert found[0] == ("order", min(one, two) + 1)


@given(st.integers(0, CALLS - 1), st.integers(0, CALLS))
def test_a_line_that_stands_twice_is_found(which: int, where: int) -> None:
    where = max(where, which + 1)
    assert faults_of([*LINES[:where], LINES[which], *LINES[where:]]) == [("duplicate", where + 1)]


@given(st.permutations(range(CALLS)), st.sets(st.integers(0, CALLS - 1)))
def test_whatever_is_left_out_or_moved_is_found(order: list[int], left_out: set[int]) -> None:
    kept = [number for number in order if number not in left_out]
    found = faults_of([LINES[number] for number in kept], heads=[LINES[-1][-66:-2].decode()])
    assert bool(found) == (kept != list(range(CALLS)))


def test_a_replaced_line_is_found_although_its_own_hash_fits() -> None:
    other = chained(3, name="c0ffee")
    chain = Chain("c0ffee", None, 1, read_link(LINES[0]).hash)  # type: ignore[union-attr]  # it is one
    forged = chain.seal({"event": "call", "request": "forged"}).line.rstrip(b"\n")
    assert faults_of([LINES[0], forged, *LINES[2:]]) == [("replaced", 3)]
    assert other == LINES[:3]


def test_a_cut_end_is_found_by_a_head_that_was_noted() -> None:
    head = read_link(LINES[-1])
    assert head is not None
    assert faults_of(LINES[:-1]) == []
    assert faults_of(LINES[:-1], heads=[f"{head.seq}:{head.hash}"]) == [("cut", 0)]
    assert faults_of(LINES, heads=[head.hash.upper(), read_link(LINES[2]).hash]) == []  # type: ignore[union-attr]


def test_a_beginning_may_be_missing_when_it_is_said_so() -> None:
    assert faults_of(LINES[3:]) == [("beginning", 1)]
    assert faults_of(LINES[3:], partial=True) == []


def test_with_a_key_only_its_holder_makes_lines(tmp_path: Path) -> None:
    assert faults_of(SEALED, key=KEY) == []
    assert {kind for kind, _ in faults_of(SEALED, key=b"x" * 32)} == {"changed"}
    # Whoever has no key can make a new chain without one: with the key it is seen.
    assert {kind for kind, _ in faults_of(LINES, key=KEY)} == {"unsealed"}
    path, key = tmp_path / "a.log", tmp_path / "key"
    path.write_bytes(b"\n".join(SEALED) + b"\n")
    key.write_bytes(KEY + b"\n")
    assert verify(path)[0] == 2
    assert verify("--key-file", key, path)[0] == 0


@pytest.mark.parametrize("prefix", ["2026-11-30T04:00:00.123456789Z ", "[pod/kmcp-0/server] ", "kmcp-1  | "])
def test_lines_of_others_and_prefixes_of_kubectl_are_no_matter(prefix: str) -> None:
    mixed = []
    for line in LINES:
        mixed += [prefix.encode() + line, prefix.encode() + b"2026-11-30 04:00:00,123 INFO kmcp.server: served", b""]
    assert faults_of(mixed) == []
    assert faults_of(mixed[:9] + mixed[12:]) == [("missing", 10)]
    # Words that a program writes down about itself are its own, whatever they look like.
    quoted = [*LINES, b"2026-11-30 04:00:00,123 WARNING kmcp.auth: " + LINES[2], b'{"text": ' + LINES[3] + b"}"]
    assert faults_of(quoted) == []


@pytest.mark.parametrize(
    "written",
    [
        lambda line: b" " + line,
        lambda line: b"[pod/kmcp-0/server]  \t" + line,
        lambda line: json.dumps(json.loads(line)).encode(),
        lambda line: line.replace(b'"audit"', b'"\\u0061udit"', 1).replace(b'"log":', b'"log" :', 1),
        lambda line: b"[" + line[1:],
        lambda line: b"\xfb" + line[1:],
    ],
)
@pytest.mark.parametrize("at", [3, len(LINES)])
def test_a_record_that_was_added_is_found_however_it_is_written(written: Callable[[bytes], bytes], at: int) -> None:
    forged = LINES[2].replace(b'"time":"20', b'"time":"19')
    assert faults_of([*LINES[:at], written(forged), *LINES[at:]]) != []


def test_chains_of_several_processes_may_be_mixed() -> None:
    mixed = [*LINES, *chained(CALLS, name="beef")]
    random.Random(1).shuffle(mixed)
    mixed.sort(key=lambda line: read_link(line).seq)  # type: ignore[union-attr]  # each is one
    assert faults_of(mixed) == []


def test_compressed_files_and_standard_input_are_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"".join(written(path, CALLS))
    packed = path.with_suffix(".gz")
    packed.write_bytes(gzip.compress(content))
    assert verify(packed)[0] == 0
    packed.write_bytes(gzip.compress(content)[:-30])
    assert main(["verify", str(packed)]) == 2
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.replace(b"alice", b"alibi", 1))))
    code, found = verify("-")
    assert (code, found["faults"][0]["kind"], found["faults"][0]["line"]) == (1, "changed", 2)


def test_what_cannot_be_checked_is_neither_intact_nor_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    assert main(["verify", str(empty)]) == 2
    assert "no line of the audit" in capsys.readouterr().out
    assert main(["verify", str(tmp_path / "absent")]) == 2
    assert "No such file" in capsys.readouterr().err
    assert main(["verify", str(tmp_path)]) == 2
    assert "directory" in capsys.readouterr().err
    assert verify("--head", "1:" + "a" * 64, empty)[0] == 1


def test_the_text_names_the_first_line_that_is_wrong(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = written(path, CALLS)
    path.write_bytes(b"".join(lines).replace(b'"request":"r3"', b'"request":"r4"', 1))
    assert main(["verify", str(path)]) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith(f"{path}, line 5: line 5 was changed")
    assert out[-1].startswith("NOT intact")


@given(st.binary(max_size=300), st.integers(0, CALLS))
def test_no_line_whatever_makes_it_fail(noise: bytes, where: int) -> None:
    found = Verification()
    for number, line in enumerate([*LINES[:where], *noise.split(b"\n"), *LINES[where:]], 1):
        found.feed("f", number, line)
    found.finish()
    assert found.lines >= CALLS


@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner, max_size=3), max_leaves=5))
def test_no_name_can_end_a_line_or_begin_another(name: object) -> None:
    chain = Chain("c0ffee")
    line = chain.seal({"event": "call", "caller": name}).line
    assert line.count(b"\n") == 1
    assert line.decode("ascii").rstrip("\n").isprintable()
    assert len(line.decode().splitlines()) == 1
    link = read_link(line.rstrip(b"\n"))
    assert link is not None
    assert link.fits(None)
    assert json.loads(line)["caller"] == name
