"""Alert rules, through the provisioning API."""

from typing import Annotated, Any, Literal

from pydantic import Field

from kmcp_grafana.actions.arguments import Fields, FolderUid, Name, Uid
from kmcp_grafana.actions.changes import merge_fields, send_change, send_deletion
from kmcp_grafana.actions.listing import explain_empty, slice_list
from kmcp_grafana.actions.results import Answer, pick, show_whole
from kmcp_grafana.actions.specs import Spec, Text, optional, required
from kmcp_grafana.alerts import provenance
from kmcp_grafana.client.grafana import Grafana, Request, Row, at
from kmcp_runtime import Cursor, Limit

Group = Annotated[str, "Rule group"]

_RULES = "/api/v1/provisioning/alert-rules"
_BRIEF = ("uid", "title", "folderUID", "ruleGroup", "for", "isPaused", "provenance", "labels")
# Grafana requires these fields; the values are those that its own pages start with.
_DEFAULTS: Row = {"noDataState": "NoData", "execErrState": "Error", "for": "5m"}
_SERVER_SIDE = ("id", "updated", "provenance")
"""Fields of a rule that Grafana writes itself."""

_NO_DATA = Literal["Alerting", "NoData", "OK", "KeepLast"]
_ERROR = Literal["OK", "Alerting", "Error", "KeepLast"]
_TITLE = Annotated[str, Field(min_length=1, max_length=190)]
_QUERIES = Annotated[list[dict[str, Any]], Field(min_length=1)]
_OF_RULES: dict[str, Any] = {
    "noDataState": optional(_NO_DATA),
    "execErrState": optional(_ERROR),
    "for": optional(Text),
    "annotations": optional(dict[str, str]),
    "labels": optional(dict[str, str]),
    "isPaused": optional(bool),
    "notification_settings": optional(dict[str, Any] | None),
    "keep_firing_for": optional(Text),
    "missingSeriesEvalsToResolve": optional(int | None),
    "record": optional(dict[str, Any]),
}
NEW_RULE = Spec(
    title=required(_TITLE),
    folderUID=required(Text),
    ruleGroup=required(_TITLE),
    condition=required(Text),
    data=required(_QUERIES),
    uid=optional(Text),
    **_OF_RULES,
)
RULE = Spec(
    title=optional(_TITLE),
    folderUID=optional(Text),
    ruleGroup=optional(_TITLE),
    condition=optional(Text),
    data=optional(_QUERIES),
    **_OF_RULES,
)


async def get_rules(
    grafana: Grafana,
    limit: Limit = 100,
    folder_uid: FolderUid | None = None,
    group: Group | None = None,
    name: Name | None = None,
    cursor: Cursor = None,
) -> Answer:
    # The API filters by nothing: it always answers all rules.
    rows = [
        rule
        for rule in await grafana.read(_RULES)
        if folder_uid in (None, rule.get("folderUID"))
        and group in (None, rule.get("ruleGroup"))
        and (name is None or name.lower() in str(rule.get("title", "")).lower())
    ]
    found = slice_list(grafana, rows, lambda rule: pick(rule, *_BRIEF), limit, cursor)
    return explain_empty(found, "No rule matches. Rules that a data source manages are in that data source, not here.")


async def get_rule(grafana: Grafana, uid: Uid) -> Answer:
    rule = await _read_rule(grafana, uid)
    return show_whole(rule, grafana.link(_link(uid)))


async def create_rule(grafana: Grafana, spec: Fields) -> Answer:
    # The organisation is required in the body and overwritten by Grafana with that of the identity.
    rule = {**_DEFAULTS, **spec, "orgID": (await grafana.read("/api/org"))["id"]}
    request = Request(method="POST", path=_RULES, body=rule, headers=provenance.headers(grafana, None))
    return await send_change(grafana, request, "created", before=None, after=rule, reply=("uid", "title"))


async def update_rule(grafana: Grafana, uid: Uid, spec: Fields) -> Answer:
    before = await _read_rule(grafana, uid)
    kept = provenance.changeable("alert rule", uid, before)
    after = {**merge_fields(_without(before, *_SERVER_SIDE), spec), **_whole(spec, "data", "labels", "annotations")}
    request = Request(method="PUT", path=_rule_path(uid), body=after, headers=provenance.headers(grafana, kept))
    return await send_change(
        grafana,
        request,
        "updated",
        before=_without(before, *_SERVER_SIDE),
        after=after,
        about={"uid": uid, "title": after["title"]},
        link=_link(uid),
    )


async def delete_rule(grafana: Grafana, uid: Uid) -> Answer:
    rule = await _read_rule(grafana, uid)
    kept = provenance.changeable("alert rule", uid, rule)
    request = Request(method="DELETE", path=_rule_path(uid), headers=provenance.headers(grafana, kept))
    return await send_deletion(grafana, request, about=pick(rule, *_BRIEF), state=rule)


async def get_rule_group(grafana: Grafana, folder_uid: FolderUid, group: Group) -> Answer:
    found = await grafana.read(at("/api/v1/provisioning/folder/{}/rule-groups/{}", folder_uid, group))
    return Answer(
        item=pick(found, "title", "folderUid", "interval"),
        items=[pick(rule, *_BRIEF, "condition", "annotations") for rule in found.get("rules") or ()],
        returned=len(found.get("rules") or ()),
        truncated=False,
    )


async def _read_rule(grafana: Grafana, uid: str) -> Row:
    rule: Row = await grafana.read(_rule_path(uid))
    return rule


def _rule_path(uid: str) -> str:
    return f"{_RULES}/{at('{}', uid)}"


def _link(uid: str) -> str:
    return at("/alerting/grafana/{}/view", uid)


def _without(thing: Row, *fields: str) -> Row:
    return {field: value for field, value in thing.items() if field not in fields}


def _whole(spec: Row, *fields: str) -> Row:
    # These lists and maps are replaced as a whole: a merge could never remove an entry.
    return {field: spec[field] for field in fields if field in spec}
