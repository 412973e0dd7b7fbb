"""Data sources: read, made, changed, tested, queried."""

import asyncio
import json
from typing import Any, Literal

from kmcp_grafana.actions.arguments import End, Fields, MaxPoints, Name, Start, Uid
from kmcp_grafana.actions.changes import merge_fields, send_change, send_deletion
from kmcp_grafana.actions.listing import cut_list, explain_empty
from kmcp_grafana.actions.results import Answer, pick
from kmcp_grafana.actions.specs import Spec, Text, optional, required
from kmcp_grafana.client.failures import body_of, is_absent, refuse_managed_by
from kmcp_grafana.client.grafana import Grafana, Request, Row, at
from kmcp_grafana.dashboards import storage
from kmcp_grafana.datasources import queries
from kmcp_runtime import Limit, ToolFailure, live_state, not_found, quoted, redaction, suggesting
from kmcp_runtime.upstream import Refused

_PATH = "/api/datasources"
_ROW = ("uid", "name", "type", "url", "isDefault", "readOnly", "database")
_SENT = (
    "name",
    "type",
    "access",
    "url",
    "user",
    "database",
    "basicAuth",
    "basicAuthUser",
    "withCredentials",
    "isDefault",
    "jsonData",
    "uid",
    "version",
)
"""The fields of a GET that a PUT takes."""
_MOST_SEARCHED = 100
_AT_ONCE = 6
_FIELDS: dict[str, Any] = {
    "url": optional(str),
    "access": optional(Literal["proxy", "direct"]),
    "isDefault": optional(bool),
    "basicAuth": optional(bool),
    "basicAuthUser": optional(str),
    "database": optional(str),
    "user": optional(str),
    "jsonData": optional(dict[str, Any]),
    "secureJsonData": optional(dict[str, str]),
    "withCredentials": optional(bool),
}
NEW = Spec(name=required(Text), type=required(Text), uid=optional(Text), **_FIELDS)
CHANGED = Spec(restores=True, name=optional(Text), type=optional(Text), **_FIELDS)
QUERY = Spec(free=True)


async def list_sources(grafana: Grafana, limit: Limit = 100, name: Name | None = None) -> Answer:
    rows = [row for row in await fetch_sources(grafana) if name is None or name.lower() in row["name"].lower()]
    found = cut_list(rows, lambda row: pick(row, *_ROW), limit, "give name, or a larger limit")
    return explain_empty(found, "No data source has this text in its name." if name else "There are no data sources.")


async def get_source(grafana: Grafana, uid: Uid) -> Answer:
    found = await fetch_source(grafana, uid)
    return Answer(item=_shown(found), url=grafana.link(_link(uid)))


async def get_source_by_name(grafana: Grafana, name: Name) -> Answer:
    try:
        found = await grafana.read(at(_PATH + "/name/{}", name))
    except Refused as refused:
        raise await _explain_missing(refused, grafana, name) from None
    return Answer(item=_shown(found), url=grafana.link(_link(found["uid"])))


async def create_source(grafana: Grafana, spec: Fields) -> Answer:
    body = {"access": "proxy", **spec}
    request = Request(method="POST", path=_PATH, body=body)
    answer = await send_change(grafana, request, "created", before=None, after=body, reply=("datasource",))
    if isinstance(answer.item, dict) and "datasource" in answer.item:
        made = answer.item["datasource"]
        answer.item = pick(made, "uid", "name", "type")
        answer.url = grafana.link(_link(made["uid"]))
        answer.hint = f"action=test uid={made['uid']} checks that it answers."
    return answer


async def update_source(grafana: Grafana, uid: Uid, spec: Fields) -> Answer:
    found = await _fetch_changeable(grafana, uid)
    # PUT replaces everything except the secure fields, which stay unless they are named.
    before = {field: found[field] for field in _SENT if field in found}
    after = redaction.restore(merge_fields(before, spec), before, "spec")
    request = Request(method="PUT", path=_path_of(uid), body=after)
    # The version changes with each save, and would make each of them a change.
    shown = {field: value for field, value in before.items() if field != "version"}
    return await send_change(
        grafana,
        request,
        "updated",
        before=shown,
        after={field: after[field] for field in after if field != "version"},
        about=pick(found, "uid", "name", "type"),
        link=_link(uid),
    )


async def delete_source(grafana: Grafana, uid: Uid) -> Answer:
    found = await _fetch_changeable(grafana, uid)
    along = await _count_users(grafana, uid)
    return await send_deletion(
        grafana, Request(method="DELETE", path=_path_of(uid)), about=pick(found, *_ROW), takes_along=along, state=found
    )


async def test_source(grafana: Grafana, uid: Uid) -> Answer:
    """What the plugin reports about its backend."""
    try:
        found = await grafana.read(f"{_path_of(uid)}/health")
    except Refused as refused:
        # A plugin whose backend is down answers 400 or 500 with its state in the body: that is what was asked for.
        found = body_of(refused)
        if refused.status == 404 or "status" not in found:
            raise await _explain_missing(refused, grafana, uid) from None
    return Answer(item=pick(found, "status", "message", "details"), url=grafana.link(_link(uid)))


async def query_source(
    grafana: Grafana,
    uid: Uid,
    spec: Fields,
    start: Start | None = None,
    end: End | None = None,
    max_points: MaxPoints = 200,
) -> Answer:
    source = await _fetch_queryable(grafana, uid)
    queries.refuse_writing(grafana, source)
    live_state.bind(f"data source {uid}", source)
    frames = await queries.run_query(grafana, source, spec, queries.make_span(start, end, max_points))
    items: list[Row | str] = [*queries.rows_of(frames)]
    found = Answer(item=pick(source, "uid", "name", "type"), items=items, returned=len(items), truncated=False)
    return explain_empty(found, "The query returned nothing: widen start and end, or try it in Explore.")


async def fetch_sources(grafana: Grafana) -> list[Row]:
    """All data sources; to an identity that may only query them, their uid, name, type and whether one is the default.

    Grafana lets a Viewer or Editor query a data source, but not read its configuration (`datasources:read`).
    """
    try:
        rows: list[Row] = await grafana.read(_PATH)
    except Refused as refused:
        if refused.status != 403:
            raise
        return await _fetch_queryable_sources(grafana)
    return rows


async def _fetch_queryable_sources(grafana: Grafana) -> list[Row]:
    """From the settings of Grafana's own pages, which every member may read."""
    settings = await grafana.read("/api/frontend/settings")
    rows = [pick(row, "uid", "name", "type", "isDefault") for row in (settings.get("datasources") or {}).values()]
    # Grafana lists itself there, as the data sources `-- Grafana --`, `-- Mixed --` and `-- Dashboard --`.
    return sorted((row for row in rows if row["type"] != "datasource"), key=lambda row: str(row["name"]))


async def _fetch_queryable(grafana: Grafana, uid: str) -> Row:
    """The data source, as far as this identity may read it."""
    try:
        return await fetch_source(grafana, uid)
    except Refused as refused:
        if refused.status != 403:
            raise
    rows = await _fetch_queryable_sources(grafana)
    found = next((row for row in rows if row["uid"] == uid), None)
    if found is None:
        raise _missing(uid, rows)
    return found


async def fetch_source(grafana: Grafana, uid: str) -> Row:
    try:
        found: Row = await grafana.read(_path_of(uid))
    except Refused as refused:
        raise await _explain_missing(refused, grafana, uid) from None
    return found


async def choose_source(grafana: Grafana, wanted: str | None) -> Row:
    """The data source with this uid or name, or the default one."""
    rows = await fetch_sources(grafana)
    found = [row for row in rows if (row.get("isDefault") if wanted is None else wanted in (row["uid"], row["name"]))]
    if found:
        return found[0]
    if wanted is None:
        raise not_found("there is no default data source", f"name one of {_named(rows)}")
    raise _missing(wanted, rows)


async def _fetch_changeable(grafana: Grafana, uid: str) -> Row:
    found = await fetch_source(grafana, uid)
    if found.get("readOnly"):
        raise refuse_managed_by("data source", f"{found['name']} ({uid})", "provisioning files")
    return found


async def _count_users(grafana: Grafana, uid: str) -> Row:
    """How many alert rules and dashboards use this data source, among those that this server's identity may see."""
    try:
        rules = await grafana.read("/api/v1/provisioning/alert-rules")
        found = {"alert_rules_using_it": sum(_asks(rule, uid) for rule in rules)}
    except ToolFailure as failure:
        if failure.code not in ("forbidden", "unavailable"):
            raise
        found = {}  # Rules that cannot be read are no reason to refuse: the dashboards are counted all the same.
    hits = await grafana.read("/api/search", [("type", "dash-db"), ("limit", _MOST_SEARCHED)])
    # Grafana keeps no list of who uses a data source, so the dashboards are read, a few at once.
    slots = asyncio.Semaphore(_AT_ONCE)

    async def asks(found: str) -> bool:
        async with slots:
            dashboard = await storage.find_dashboard(grafana, found)
        return dashboard is not None and f'"{uid}"' in json.dumps(dashboard.model)

    using = sum(await asyncio.gather(*(asks(hit["uid"]) for hit in hits)))
    more = {"of_the_first": _MOST_SEARCHED} if len(hits) >= _MOST_SEARCHED else {}
    return {**found, "dashboards_using_it": using, **more}


def _asks(rule: Row, uid: str) -> bool:
    return any(query.get("datasourceUid") == uid for query in rule.get("data") or ())


async def _explain_missing(refused: Refused, grafana: Grafana, wanted: str) -> ToolFailure:
    return _missing(wanted, await fetch_sources(grafana)) if is_absent(refused, wanted) else refused


def _missing(wanted: str, rows: list[Row]) -> ToolFailure:
    by_name = next((row for row in rows if row["name"] == wanted), None)
    shown = f"no data source has the uid {wanted!r}"
    if by_name:
        shown += f": its uid is {quoted(str(by_name['uid']))}"
    else:
        shown = suggesting(shown, wanted, [str(word) for row in rows for word in (row["uid"], row["name"])])
    return not_found(shown, f"there are {_named(rows)}", backend="grafana")


def _named(rows: list[Row]) -> str:
    shown = ", ".join(f"{quoted(str(row['name']))} (uid {quoted(str(row['uid']))})" for row in rows[:10])
    return (shown + (", …" if len(rows) > 10 else "")) or "none"


def _shown(found: Row) -> Row:
    secure = sorted(name for name, is_set in (found.get("secureJsonFields") or {}).items() if is_set)
    shown = pick(found, *_ROW, "access", "basicAuth", "basicAuthUser", "user", "withCredentials", "version")
    settings = {"jsonData": found["jsonData"]} if found.get("jsonData") else {}
    return {**shown, **settings, **({"secure_fields_set": secure} if secure else {})}


def _path_of(uid: str) -> str:
    return at(_PATH + "/uid/{}", uid)


def _link(uid: str) -> str:
    return at("/connections/datasources/edit/{}", uid)
