"""`kmcp-suite audit verify FILE …`: whether the lines of an audit are those that were written."""

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack

from kmcp_runtime.audit.log_files import Log, UnreadableError, lines, opened
from kmcp_runtime.audit.opening import read_key
from kmcp_runtime.audit.verification import Verification
from kmcp_runtime.settings import SettingsError

INTACT, WRONG, UNCHECKED = 0, 1, 2
_ABOUT = """\
Check the lines of an audit: that none was changed, left out, moved, repeated or added, from the first to the last.
Files may be compressed, and hold lines of others; those that a file was rotated to are found by themselves. `-` is
standard input, as in `kubectl logs --timestamps POD | kmcp-suite audit verify -`.
Exit code: 0 intact, 1 something is wrong, 2 it could not be checked."""


def main(argv: Sequence[str]) -> int:
    """Verify that no line of an audit was changed, moved or left out."""
    chosen = _parser().parse_args(argv)
    try:
        key = read_key(chosen.key_file, "--key-file") if chosen.key_file else None
        found = Verification(key, chosen.partial, chosen.head)
        with ExitStack() as stack:
            for log in opened(chosen.files, stack):
                _feed(found, log)
        found.finish()
    except (UnreadableError, SettingsError) as error:
        print(f"kmcp-suite audit verify: {error}", file=sys.stderr)
        return UNCHECKED
    code = _code(found)
    print(json.dumps(_as_json(found, code), indent=2) if chosen.json else _as_text(found, code))
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("kmcp-suite audit", allow_abbrev=False)
    verify = parser.add_subparsers(required=True, metavar="verify").add_parser(
        "verify", description=_ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    verify.add_argument("files", nargs="+", metavar="FILE")
    verify.add_argument("--key-file", help="file with the key of KMCP_AUDIT_KEY_FILE: every line must bear its seal")
    verify.add_argument(
        "--head",
        action="append",
        default=[],
        metavar="[NUMBER:]HASH",
        help="a head that was noted before (the servers log them as `audit head`): it must still be there",
    )
    verify.add_argument("--partial", action="store_true", help="the beginning may be missing")
    verify.add_argument("--json", action="store_true", help="answer in JSON")
    return parser


def _feed(found: Verification, log: Log) -> None:
    for number, line, whole in lines(log):
        found.feed(log.name, number, line, whole)


def _code(found: Verification) -> int:
    if found.faults:
        return WRONG
    sealed = not found.has_key and any(state.keyed for state in found.chains.values())
    return UNCHECKED if sealed or not found.lines else INTACT


def _as_json(found: Verification, code: int) -> dict[str, object]:
    return {
        "intact": code == INTACT,
        "faults": [vars(fault) for fault in found.faults],
        "more_faults": found.more_faults,
        "notes": found.notes,
        "chains": [
            {
                "chain": state.name,
                "first": state.began,
                "last": state.seq,
                "lines": state.lines,
                "head": f"{state.seq}:{state.head}",
            }
            for state in found.chains.values()
        ],
        "lines": found.lines,
        "other_lines": found.others,
    }


def _as_text(found: Verification, code: int) -> str:
    said = [f"{_place(fault.file, fault.line)}{fault.text}" for fault in found.faults]
    said += [f"and {found.more_faults} more faults"] if found.more_faults else []
    said += [f"note: {note}" for note in found.notes]
    said += [
        f"chain {state.name}: lines {state.began} to {state.seq}, head {state.seq}:{state.head}"
        for state in found.chains.values()
    ]
    if not found.lines:
        return "\n".join([*said, "there is no line of the audit in it"])
    verdicts = {INTACT: "intact", WRONG: "NOT intact", UNCHECKED: "not checked: --key-file is needed"}
    return "\n".join([*said, f"{verdicts[code]}: {found.lines} lines of the audit, {found.others} of others"])


def _place(file: str, line: int) -> str:
    return f"{file}, line {line}: " if file else ""
