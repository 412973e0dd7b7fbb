"""What fires now: states of rules, alerts of the Alertmanager, and silences."""

import re
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator

from kmcp_grafana.actions.arguments import End, FolderUid
from kmcp_grafana.actions.changes import send_change, send_deletion
from kmcp_grafana.actions.listing import cut_list, explain_empty
from kmcp_grafana.actions.results import Answer, pick
from kmcp_grafana.client.grafana import Grafana, Request, Row, at
from kmcp_runtime import Limit, Word, bad_argument, check_name

State = Annotated[Literal["firing", "pending", "normal", "nodata", "error"], Word("State of rules")]
Matchers = Annotated[list[str], Word("Labels, e.g. severity=~crit.*")]
SilenceId = Annotated[str, AfterValidator(check_name), Word("Silence")]
Comment = Annotated[str, Word("Why", min_length=1)]

_RULES = "/api/prometheus/grafana/api/v1/rules"
_ALERTMANAGER = "/api/alertmanager/grafana/api/v2"
_MATCHER = re.compile(r'\s*"?([A-Za-z_][\w.:-]*)"?\s*(=~|!~|!=|=)\s*(?:"((?:[^"\\]|\\.)*)"|(.*?))\s*')
_NARROW = "give state, folder_uid or matchers"
_OURS = "kmcp-grafana"


async def list_rules(
    grafana: Grafana, limit: Limit = 50, state: State | None = None, folder_uid: FolderUid | None = None
) -> Answer:
    answered = await grafana.read(_RULES)
    rows = [
        _rule(group, rule)
        for group in (answered.get("data") or {}).get("groups") or ()
        if folder_uid in (None, group.get("folderUid"))
        for rule in group.get("rules") or ()
    ]
    found = cut_list([row for row in rows if state in (None, row["state"])], lambda row: row, limit, _NARROW)
    return explain_empty(found, f"{len(rows)} rules, none of them {state or 'there'}.")


async def list_alerts(grafana: Grafana, limit: Limit = 50, matchers: Matchers | None = None) -> Answer:
    rows = await grafana.read(f"{_ALERTMANAGER}/alerts", _filters(matchers))
    return explain_empty(cut_list(rows, _alert, limit, _NARROW), "No alert is firing that matches.")


async def list_silences(grafana: Grafana, limit: Limit = 50, matchers: Matchers | None = None) -> Answer:
    rows = await grafana.read(f"{_ALERTMANAGER}/silences", _filters(matchers))
    rows.sort(key=lambda row: (row["status"]["state"] == "expired", row["endsAt"]))
    return explain_empty(cut_list(rows, _silence, limit, _NARROW), "There are no silences that match.")


async def create_silence(grafana: Grafana, matchers: Matchers, end: End, comment: Comment) -> Answer:
    starts, ends = datetime.now(UTC), datetime.fromtimestamp(end, UTC)
    if ends <= starts:
        raise bad_argument("end: it is not in the future", "end=now+2h")
    parsed = [_parse_matcher(matcher) for matcher in matchers]
    if not parsed:
        raise bad_argument("matchers: a silence needs one", 'matchers=["alertname=HighLoad"]')
    body = {
        "matchers": parsed,
        "createdBy": _OURS,
        "comment": comment,
        "startsAt": starts.isoformat(timespec="seconds"),
        "endsAt": ends.isoformat(timespec="seconds"),
    }
    shown = {"matchers": [_write_matcher(matcher) for matcher in parsed], "endsAt": body["endsAt"], "comment": comment}
    request = Request(method="POST", path=f"{_ALERTMANAGER}/silences", body=body)
    return await send_change(grafana, request, "created", before=None, after=shown, reply=("silenceID",))


async def expire_silence(grafana: Grafana, silence_id: SilenceId) -> Answer:
    path = at(_ALERTMANAGER + "/silence/{}", silence_id)
    found = await grafana.read(path)
    if found["status"]["state"] == "expired":
        return Answer(item=_silence(found), result="unchanged", changed=False, dry_run=grafana.dry_run or None)
    return await send_deletion(grafana, Request(method="DELETE", path=path), about=_silence(found), result="expired")


def _rule(group: Row, rule: Row) -> Row:
    firing = [alert for alert in rule.get("alerts") or () if str(alert.get("state", "")).lower() not in ("normal", "")]
    told = {"name": rule.get("name"), "state": _state(rule), "folder": group.get("file"), "group": group.get("name")}
    told |= {**pick(rule, "uid", "labels", "lastError"), **({"instances": len(firing)} if firing else {})}
    since = min((alert["activeAt"] for alert in firing if alert.get("activeAt")), default=None)
    return {**told, **({"since": since} if since else {})}


def _state(rule: Row) -> str:
    health = str(rule.get("health", "")).lower()
    if health in ("error", "nodata"):
        return health
    return {"inactive": "normal"}.get(str(rule.get("state", "")), str(rule.get("state") or "normal"))


def _alert(row: Row) -> Row:
    status = row.get("status") or {}
    told = {"alert": (row.get("labels") or {}).get("alertname"), "state": status.get("state"), **pick(row, "startsAt")}
    labels = {key: value for key, value in (row.get("labels") or {}).items() if key != "alertname"}
    summary = (row.get("annotations") or {}).get("summary")
    return {**told, "labels": labels, **({"summary": summary} if summary else {}), **pick(status, "silencedBy")}


def _silence(row: Row) -> Row:
    matchers = [_write_matcher(matcher) for matcher in row.get("matchers") or ()]
    told = {"id": row["id"], "state": row["status"]["state"], "matchers": matchers}
    return {**told, **pick(row, "startsAt", "endsAt", "comment", "createdBy")}


def _filters(matchers: list[str] | None) -> list[tuple[str, str | int]]:
    return [("filter", _write_matcher(_parse_matcher(matcher))) for matcher in matchers or ()]


def _parse_matcher(matcher: str) -> Row:
    match = _MATCHER.fullmatch(matcher)
    if match is None:
        raise bad_argument(
            f"matchers: {matcher!r} is none", 'write label=value, label!=value, label=~"regex" or label!~…'
        )
    name, operator, quoted, bare = match.groups()
    value = bare if quoted is None else quoted.replace('\\"', '"').replace("\\\\", "\\")
    return {"name": name, "value": value, "isRegex": "~" in operator, "isEqual": not operator.startswith("!")}


def _write_matcher(matcher: Row) -> str:
    operator = ("=" if matcher.get("isEqual", True) else "!") + ("~" if matcher["isRegex"] else "")
    operator = "!=" if operator == "!" else operator
    value = matcher["value"].replace("\\", "\\\\").replace('"', '\\"')
    return f'{matcher["name"]}{operator}"{value}"'
