"""Silences of the Alertmanager, and the matchers that they and lists of alerts take."""

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from kmcp_grafana.actions.arguments import End
from kmcp_grafana.actions.changes import send_change, send_deletion
from kmcp_grafana.actions.listing import cut_list, explain_empty
from kmcp_grafana.actions.results import Answer, pick
from kmcp_grafana.client.grafana import Grafana, Request, Row, at
from kmcp_runtime import Limit, bad_argument, check_name

Matchers = Annotated[list[str], "Labels, e.g. severity=~crit.*"]
SilenceId = Annotated[str, AfterValidator(check_name), "Silence"]
Comment = Annotated[str, "Why", Field(min_length=1)]

ALERTMANAGER = "/api/alertmanager/grafana/api/v2"
# The syntax of the Alertmanager (pkg/labels): a label, an operator, and a value with or without quotes. A quotation
# mark inside of either is escaped, so half a pair is a mistake and not part of the value.
_MATCHER = re.compile(
    r"""(?:"((?:[^"\\]|\\.)+)"|([^\s{}!=~,\\"'`]+))\s*(=~|!~|!=|=)\s*(?:"((?:[^"\\]|\\.)*)"|((?:[^"\\]|\\.)*\\?))""",
    re.DOTALL,
)
_ESCAPE = re.compile(r'\\([n"\\])')
"""What a backslash escapes, in quotes or not; before anything else it stands for itself, as in `10\\.0`."""
_PLAIN_LABEL = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
NARROW = "give state, folder_uid or matchers"
# Silences name their author; the caller of this server is not known to Grafana.
_OURS = "kmcp-grafana"


async def list_silences(grafana: Grafana, limit: Limit = 50, matchers: Matchers | None = None) -> Answer:
    rows = await grafana.read(f"{ALERTMANAGER}/silences", filters_of(matchers))
    # Expired silences are kept for days; the current ones come first.
    rows.sort(key=lambda row: (row["status"]["state"] == "expired", row["endsAt"]))
    return explain_empty(cut_list(rows, _silence, limit, NARROW), "No silence matches.")


async def create_silence(grafana: Grafana, matchers: Matchers, end: End, comment: Comment) -> Answer:
    starts, ends = datetime.now(UTC), datetime.fromtimestamp(end, UTC)
    if ends <= starts:
        raise bad_argument("end: must be in the future", "end=now+2h")
    parsed = [_parse_matcher(matcher) for matcher in matchers]
    if not parsed:
        raise bad_argument("matchers: a silence needs at least one", 'matchers=["alertname=HighLoad"]')
    body = {
        "matchers": parsed,
        "createdBy": _OURS,
        "comment": comment,
        "startsAt": starts.isoformat(timespec="seconds"),
        "endsAt": ends.isoformat(timespec="seconds"),
    }
    shown = {"matchers": [_write_matcher(matcher) for matcher in parsed], "endsAt": body["endsAt"], "comment": comment}
    request = Request(method="POST", path=f"{ALERTMANAGER}/silences", body=body)
    return await send_change(grafana, request, "created", before=None, after=shown, reply=("silenceID",))


async def expire_silence(grafana: Grafana, silence_id: SilenceId) -> Answer:
    path = at(ALERTMANAGER + "/silence/{}", silence_id)
    found = await grafana.read(path)
    # Expiring it again would change its end in Grafana.
    if found["status"]["state"] == "expired":
        return Answer(item=_silence(found), result="unchanged", changed=False, dry_run=grafana.dry_run or None)
    return await send_deletion(grafana, Request(method="DELETE", path=path), about=_silence(found), result="expired")


def _silence(row: Row) -> Row:
    matchers = [_write_matcher(matcher) for matcher in row.get("matchers") or ()]
    shown = {"id": row["id"], "state": row["status"]["state"], "matchers": matchers}
    return {**shown, **pick(row, "startsAt", "endsAt", "comment", "createdBy")}


def filters_of(matchers: list[str] | None) -> list[tuple[str, str | int]]:
    return [("filter", _write_matcher(_parse_matcher(matcher))) for matcher in matchers or ()]


def _parse_matcher(matcher: str) -> Row:
    match = _MATCHER.fullmatch(matcher.strip())
    if match is None:
        raise bad_argument(
            f"matchers: {matcher!r} is not a matcher",
            'write label=value, label!=value, label=~"regex" or label!~…, each as one element and without braces',
        )
    label, plain, operator, quoted, bare = match.groups()
    return {
        "name": plain or _unescaped(label),
        "value": _unescaped(bare if quoted is None else quoted),
        "isRegex": "~" in operator,
        "isEqual": not operator.startswith("!"),
    }


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: "\n" if found[1] == "n" else found[1], text)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _write_matcher(matcher: Row) -> str:
    operator = ("=" if matcher.get("isEqual", True) else "!") + ("~" if matcher["isRegex"] else "")
    # A negated equality is `!=`, but a negated regular expression is `!~`, without the equals sign.
    operator = "!=" if operator == "!" else operator
    name = matcher["name"]
    return f"{name if _PLAIN_LABEL.fullmatch(name) else _quoted(name)}{operator}{_quoted(matcher['value'])}"
