"""What a line of the audit says. Each kind of event is a class; its fields, with their meaning, are the reference.

A field that has nothing to say is left out of the line.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, ClassVar

from kmcp_runtime import redaction
from kmcp_runtime.audit import chain

LONGEST = 128
"""Characters of a name that comes from outside; a line holds a bounded number of them."""
MOST = 20
"""Entries of a list that comes from outside."""
_MOST_SEARCHED = 8 * 1024
"""Characters of a name that are searched for secrets: more than the longest that is known."""


@dataclass(kw_only=True)
class Record:
    """What is told of an event."""

    event: ClassVar[str] = ""

    def told(self) -> dict[str, Any]:
        """The fields that say something, with their names in the line."""
        return {each.name: value for each in fields(self) if not _says_nothing(value := getattr(self, each.name))}


def _says_nothing(value: Any) -> bool:
    return value is None or value == "" or value == [] or value == {}


@dataclass(kw_only=True)
class Entry(Record):
    """A call of a tool, written when it has ended."""

    event: ClassVar[str] = "call"

    request: Annotated[str, "Id of the call; an internal error quotes it, and the server's log"] = ""
    server: Annotated[str, "Name of the server; `-` for a tool that does not exist"] = ""
    tool: Annotated[str, "Name of the tool"] = ""
    via: Annotated[str, "The tool that passed the call on (`call_tool`), where it was not made by its own name"] = ""
    effect: Annotated[
        str, "What the call did as judged at the doors, never less than its tool declares: read, write, destroy"
    ] = ""
    caller: Annotated[str, "Subject of the token; `anonymous` over HTTP without one, `local` over stdio"] = ""
    groups: Annotated[list[str], "Groups of the caller, as the token or the API server says"] = field(
        default_factory=list
    )
    agent: Annotated[str, "Name and version that the client gives itself (clientInfo): a claim, no identity"] = ""
    trace: Annotated[
        str, "Trace id (W3C): of the span under way, else of `traceparent` in `_meta`, else in the HTTP headers"
    ] = ""
    span: Annotated[str, "Id of the span that the call belongs to, from the same place"] = ""
    arguments: Annotated[str, "Keyed digest of all arguments: equal calls can be seen, and no value can be read"] = ""
    target: Annotated[dict[str, str], "Arguments that name the target, cut and redacted"] = field(default_factory=dict)
    objects: Annotated[
        list[dict[str, str]], "Objects of the cluster that the call met by name, or changed: kind, namespace, name, uid"
    ] = field(default_factory=list)
    dry_run: Annotated[bool, "Whether only a plan was asked for"] = False
    decision: Annotated[str, "`allow` or `deny`, by the caller's scopes and the policy"] = ""
    rule: Annotated[str, "What decided: a rule of the policy, `scopes` of the token, or `open` without either"] = ""
    approval: Annotated[
        str, "How destruction was allowed or refused: `asked`, `token`, `off`, `required` (not yet), `refused`"
    ] = ""
    approved_by: Annotated[
        str, "Who said yes: the user of the client that was asked, or the caller who brought the token"
    ] = ""
    approval_id: Annotated[
        str, "Digest of the approval token: the same in the line that gave it and in the one that used it"
    ] = ""
    outcome: Annotated[str, "`ok`, `input_required`, `cancelled`, or the code of the error"] = "ok"
    duration_ms: Annotated[float, "Time of the call, in milliseconds"] = 0.0
    answer_bytes: Annotated[int, "Bytes of the structured answer"] = 0

    def decided(self, decision: str, rule: str) -> None:
        """A denial stands, whatever else was allowed; else the first rule that allows."""
        if decision == "deny" or not self.decision:
            self.decision, self.rule = decision, rule


@dataclass(kw_only=True)
class Begun(Record):
    """Under `KMCP_AUDIT=required`: a call is about to change something, and the line is on the disk. It has the fields
    of `call` as far as they are known. Without a `call` of the same `request` after it, the process ended in between.
    """

    event: ClassVar[str] = "begun"

    entry: Entry

    def told(self) -> dict[str, Any]:
        told = self.entry.told()
        return {name: value for name, value in told.items() if name not in ("outcome", "duration_ms", "answer_bytes")}


@dataclass(kw_only=True)
class Refused(Record):
    """A request that was turned away before any tool was looked at; with `more`, how many went without a line."""

    event: ClassVar[str] = "refused"

    reason: Annotated[str, "Why, one of the reasons below"] = ""
    status: Annotated[int | None, "HTTP status of the answer"] = None
    peer: Annotated[str, "Address that the request came from, possibly that of a proxy"] = ""
    caller: Annotated[str, "The caller, for calls"] = ""
    tool: Annotated[str, "The tool, for calls"] = ""
    origin: Annotated[str, "The header Origin, where it is the reason"] = ""
    host: Annotated[str, "The header Host, where it is the reason"] = ""
    more: Annotated[int | None, "How many more were like this in `seconds`; they have no line of their own"] = None
    seconds: Annotated[int | None, "Length of the time in which they were counted"] = None


@dataclass(kw_only=True)
class FileEvent(Record):
    """Something about the file itself: where it begins, what was found in it, what is missing."""

    event: ClassVar[str] = "file"

    what: Annotated[str, "What happened, one of the words below"] = ""
    detail: Annotated[str, "In words"] = ""
    process: Annotated[int | None, "Process id of the writer, at `start`"] = None
    host: Annotated[str, "Host name of the writer, at `start`: in a cluster the pod"] = ""
    version: Annotated[str, "Version of the suite, at `start`"] = ""
    torn_bytes: Annotated[int | None, "Length of what was left of a line, at `torn`"] = None
    torn_sha256: Annotated[str, "Hash of what was left, at `torn`"] = ""
    expected: Annotated[int | None, "Number of the last line that this process knew of, at `shorter`"] = None
    removed_to: Annotated[int | None, "Number of the last line that rotation has removed so far, at `rotated`"] = None
    count: Annotated[int | None, "Lines that could not be written and are nowhere, at `lost`"] = None


WHAT: Mapping[str, str] = {
    "start": "A process began to write to the file",
    "stop": "A process ended in order; one that was killed leaves none",
    "rotated": "The file goes on from another that was full",
    "torn": "The last line before was not whole: the writer was killed, or the disk was full",
    "shorter": "The file holds less than this process had written: somebody cut or replaced it",
    "lost": "Lines could not be written, and are gone",
}
"""Words of `what`."""
EVENTS: tuple[type[Record], ...] = (Entry, Begun, Refused, FileEvent)


def named(text: Any, longest: int = LONGEST) -> str:
    """A name that comes from outside, as a line may hold it: short, in one line, and without secrets."""
    if not text:
        return ""
    # Others than the caller read it, so what he sent is hidden, too. It is cut behind that, since a part of a secret is
    # not known for one; but he may send megabytes.
    with redaction.echoing(None):
        return " ".join(redaction.text(str(text)[:_MOST_SEARCHED]).split())[:longest]


def body(record: Record, instance: str, time: str) -> dict[str, Any]:
    """The line without its place in a chain; within the bound of a line, whatever its parts hold."""
    line = {"event": record.event, "time": time, "instance": instance, **record.told()}
    # As ASCII a character may take twelve bytes; what may be longest goes first.
    for spare in _SPARE:
        if len(chain.compact(line)) <= chain.LONGEST - chain.LINK_BYTES:
            break
        line.pop(spare, None)
        line["left_out"] = "parts that are too long for a line"
    return line


_SPARE = ("objects", "groups", "target", "approved_by", "agent", "origin", "host", "rule")
