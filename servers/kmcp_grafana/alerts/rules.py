"""Alert rules, contact points, notification policies and mute timings, through the provisioning API."""

from typing import Annotated, Any, Literal

from pydantic import Field

from kmcp_grafana.actions.changes import changed, deleted, merged
from kmcp_grafana.actions.listing import explained, sliced
from kmcp_grafana.actions.results import Answer, brief, whole
from kmcp_grafana.actions.specs import Spec, Text, optional, required
from kmcp_grafana.actions.table import Action, Table
from kmcp_grafana.alerts import contact_points, provenance
from kmcp_grafana.client.grafana import Grafana, Request, Row, at
from kmcp_runtime import Effect

_RULES = "/api/v1/provisioning/alert-rules"
_POLICIES = "/api/v1/provisioning/policies"
_TIMINGS = "/api/v1/provisioning/mute-timings"
_BRIEF = ("uid", "title", "folderUID", "ruleGroup", "for", "isPaused", "provenance", "labels")
_DEFAULTS: Row = {"noDataState": "NoData", "execErrState": "Error", "for": "5m"}
_SERVER_SIDE = ("id", "updated", "provenance")
"""What Grafana writes into a rule itself."""

_NO_DATA = Literal["Alerting", "NoData", "OK"]
_ERROR = Literal["OK", "Alerting", "Error"]
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
_NEW_RULE = Spec(
    title=required(_TITLE),
    folderUID=required(Text),
    ruleGroup=required(_TITLE),
    condition=required(Text),
    data=required(_QUERIES),
    uid=optional(Text),
    **_OF_RULES,
)
_RULE = Spec(
    title=optional(_TITLE),
    folderUID=optional(Text),
    ruleGroup=optional(_TITLE),
    condition=optional(Text),
    data=optional(_QUERIES),
    **_OF_RULES,
)
_ROUTE = Spec(
    receiver=required(Text),
    group_by=optional(list[str]),
    routes=optional(list[dict[str, Any]]),
    group_wait=optional(Text),
    group_interval=optional(Text),
    repeat_interval=optional(Text),
)
_TIMING = Spec(name=required(Text), time_intervals=required(Annotated[list[dict[str, Any]], Field(min_length=1)]))


async def get_rules(
    grafana: Grafana,
    limit: int,
    folder_uid: str | None = None,
    group: str | None = None,
    name: str | None = None,
    cursor: str | None = None,
) -> Answer:
    rows = [
        rule
        for rule in await grafana.read(_RULES)
        if folder_uid in (None, rule.get("folderUID"))
        and group in (None, rule.get("ruleGroup"))
        and (name is None or name.lower() in str(rule.get("title", "")).lower())
    ]
    found = sliced(grafana, rows, lambda rule: brief(rule, *_BRIEF), limit, cursor)
    return explained(found, "No rule is like that; data source managed rules are in the data source, not here.")


async def get_rule(grafana: Grafana, uid: str) -> Answer:
    rule = await _rule(grafana, uid)
    return whole(rule, grafana.link(_link(uid)))


async def create_rule(grafana: Grafana, spec: Row) -> Answer:
    # The organisation is required in the body and overwritten by Grafana with that of the identity.
    rule = {**_DEFAULTS, **spec, "orgID": (await grafana.read("/api/org"))["id"]}
    request = Request(method="POST", path=_RULES, body=rule, headers=provenance.headers(grafana, None))
    return await changed(grafana, request, "created", before=None, after=rule, reply=("uid", "title"))


async def update_rule(grafana: Grafana, uid: str, spec: Row) -> Answer:
    before = await _rule(grafana, uid)
    kept = provenance.changeable("alert rule", uid, before)
    after = {**merged(_without(before, *_SERVER_SIDE), spec), **_whole(spec, "data", "labels", "annotations")}
    request = Request(method="PUT", path=_rule_path(uid), body=after, headers=provenance.headers(grafana, kept))
    return await changed(
        grafana,
        request,
        "updated",
        before=_without(before, *_SERVER_SIDE),
        after=after,
        about={"uid": uid, "title": after["title"]},
        link=_link(uid),
    )


async def delete_rule(grafana: Grafana, uid: str) -> Answer:
    rule = await _rule(grafana, uid)
    kept = provenance.changeable("alert rule", uid, rule)
    request = Request(method="DELETE", path=_rule_path(uid), headers=provenance.headers(grafana, kept))
    return await deleted(grafana, request, about=brief(rule, *_BRIEF))


async def get_rule_group(grafana: Grafana, folder_uid: str, group: str) -> Answer:
    found = await grafana.read(at("/api/v1/provisioning/folder/{}/rule-groups/{}", folder_uid, group))
    return Answer(
        item=brief(found, "title", "folderUid", "interval"),
        items=[brief(rule, *_BRIEF, "condition", "annotations") for rule in found.get("rules") or ()],
        returned=len(found.get("rules") or ()),
        truncated=False,
    )


async def get_notification_policies(grafana: Grafana) -> Answer:
    return whole(await grafana.read(_POLICIES))


async def update_notification_policies(grafana: Grafana, spec: Row) -> Answer:
    """The whole tree is replaced."""
    before = await grafana.read(_POLICIES)
    kept = provenance.changeable("notification policy tree", "of this organisation", before)
    request = Request(method="PUT", path=_POLICIES, body=spec, headers=provenance.headers(grafana, kept))
    return await changed(grafana, request, "replaced", before=_without(before, "provenance"), after=spec)


async def get_mute_timings(grafana: Grafana, limit: int, cursor: str | None = None) -> Answer:
    rows = await grafana.read(_TIMINGS)
    found = sliced(
        grafana, rows, lambda row: {"name": row["name"], "intervals": row.get("time_intervals")}, limit, cursor
    )
    return explained(found, "There are no mute timings: action=create_mute_timing makes one.")


async def get_mute_timing(grafana: Grafana, name: str) -> Answer:
    return whole(await grafana.read(_timing_path(name)))


async def create_mute_timing(grafana: Grafana, spec: Row) -> Answer:
    request = Request(method="POST", path=_TIMINGS, body=spec, headers=provenance.headers(grafana, None))
    return await changed(grafana, request, "created", before=None, after=spec, reply=("name",))


async def delete_mute_timing(grafana: Grafana, name: str) -> Answer:
    found = await grafana.read(_timing_path(name))
    kept = provenance.changeable("mute timing", name, found)
    params = [("version", found["version"])] if found.get("version") else []
    headers = provenance.headers(grafana, kept)
    request = Request(method="DELETE", path=_timing_path(name), params=params, headers=headers)
    return await deleted(grafana, request, about=brief(found, "name", "time_intervals"))


async def _rule(grafana: Grafana, uid: str) -> Row:
    rule: Row = await grafana.read(_rule_path(uid))
    return rule


def _rule_path(uid: str) -> str:
    return f"{_RULES}/{at('{}', uid)}"


def _timing_path(name: str) -> str:
    return f"{_TIMINGS}/{at('{}', name)}"


def _link(uid: str) -> str:
    return at("/alerting/grafana/{}/view", uid)


def _without(thing: Row, *fields: str) -> Row:
    return {field: value for field, value in thing.items() if field not in fields}


def _whole(spec: Row, *fields: str) -> Row:
    """Lists and maps that are replaced as one: merging could never take an entry away."""
    return {field: spec[field] for field in fields if field in spec}


TABLE = Table(
    Action(get_rules, Effect.READ),
    Action(get_rule, Effect.READ),
    Action(create_rule, Effect.WRITE, _NEW_RULE),
    Action(update_rule, Effect.WRITE, _RULE),
    Action(delete_rule, Effect.DESTROY),
    Action(get_rule_group, Effect.READ),
    Action(contact_points.get_contact_points, Effect.READ),
    Action(contact_points.create_contact_point, Effect.WRITE, contact_points.NEW),
    Action(contact_points.update_contact_point, Effect.WRITE, contact_points.CHANGED),
    Action(contact_points.delete_contact_point, Effect.DESTROY),
    Action(get_notification_policies, Effect.READ),
    Action(update_notification_policies, Effect.DESTROY, _ROUTE),
    Action(get_mute_timings, Effect.READ),
    Action(get_mute_timing, Effect.READ),
    Action(create_mute_timing, Effect.WRITE, _TIMING),
    Action(delete_mute_timing, Effect.DESTROY),
    find="grafana_alert_management action=get_rules",
)
