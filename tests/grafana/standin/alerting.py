"""Alert rules, contact points, policies, mute timings; the states of rules, alerts and silences."""

import copy
import re
from datetime import datetime
from typing import Any

from tests.grafana.standin.exchange import Exchange, Handler
from tests.grafana.standin.limits import refuse_uid
from tests.grafana.standin.state import NOW, Refusal, Row

Answered = tuple[int, Any]
_REDACTED = "[REDACTED]"
_SECURE = {
    "slack": ("url", "token"),
    "pagerduty": ("integrationKey",),
    "webhook": ("password",),
    "telegram": ("bottoken",),
}
_REQUIRED = {"slack": ("url",), "pagerduty": ("integrationKey",), "webhook": ("url",), "email": ("addresses",)}


def _provenance(exchange: Exchange) -> str:
    return "" if exchange.headers.get("x-disable-provenance") == "true" else "api"


def _refuse(found: Row, wanted: str) -> None:
    kept = found.get("provenance", "")
    if kept and kept != wanted:
        told = f"Resource with provenance status '{kept}' cannot be changed to '{wanted or 'none'}'. You must use "
        told += "appropriate API and permissions to manage this resource"
        raise Refusal(403, told, messageId="alerting.notifications.invalidProvenance")


def _rule(exchange: Exchange) -> Row:
    found = exchange.organisation.rules.get(exchange.param("UID"))
    if found is None:
        raise Refusal(404, "could not find alert rule")
    return found


def _checked_rule(exchange: Exchange) -> Row:
    body = exchange.body
    if body["folderUID"] not in exchange.organisation.folders:
        raise Refusal(400, "invalid alert rule: folder does not exist")
    references = [query.get("refId") for query in body["data"]]
    if body["condition"] not in references:
        raise Refusal(
            400, f"invalid alert rule: condition {body['condition']} does not exist, must be one of {references}"
        )
    return {**body, "orgID": exchange.organisation.id}


def create_rule(exchange: Exchange) -> Answered:
    body = _checked_rule(exchange)
    uid = body.get("uid") or exchange.state.uid("r")
    refuse_uid(uid, "alert rule")
    if uid in exchange.organisation.rules:
        raise Refusal(409, "a rule with that uid exists")
    row = {**body, "uid": uid, "id": exchange.state.number(), "updated": NOW, "provenance": _provenance(exchange)}
    exchange.organisation.rules[uid] = row
    return 201, row


def put_rule(exchange: Exchange) -> Answered:
    found = _rule(exchange)
    _refuse(found, _provenance(exchange))
    row = {**_checked_rule(exchange), "uid": found["uid"], "id": found["id"], "updated": NOW}
    exchange.organisation.rules[found["uid"]] = {**row, "provenance": _provenance(exchange)}
    return 200, exchange.organisation.rules[found["uid"]]


def delete_rule(exchange: Exchange) -> Answered:
    found = _rule(exchange)
    _refuse(found, _provenance(exchange))
    del exchange.organisation.rules[found["uid"]]
    return 204, None


def get_group(exchange: Exchange) -> Answered:
    folder, group = exchange.param("FolderUID"), exchange.param("Group")
    rules = [r for r in exchange.organisation.rules.values() if (r["folderUID"], r["ruleGroup"]) == (folder, group)]
    if not rules:
        raise Refusal(404, "could not find rule group")
    return 200, {"title": group, "folderUid": folder, "interval": 60, "rules": rules}


def _shown_point(point: Row) -> Row:
    shown = copy.deepcopy(point)
    for name in _SECURE.get(point["type"], ()):
        if name in shown["settings"]:
            shown["settings"][name] = _REDACTED
    return shown


def _check_point(body: Row) -> None:
    if not body.get("name"):
        raise Refusal(400, "invalid object specification: contact point name is required")
    for name in _REQUIRED.get(body["type"], ()):
        if not body["settings"].get(name):
            raise Refusal(400, f"invalid object specification: required field '{name}' is not specified")


def get_points(exchange: Exchange) -> Answered:
    name = exchange.first("name")
    return 200, [_shown_point(p) for p in exchange.organisation.points.values() if name in ("", p["name"])]


def create_point(exchange: Exchange) -> Answered:
    body = exchange.body
    _check_point(body)
    uid = body.get("uid") or exchange.state.uid("c")
    exchange.organisation.points[uid] = {**body, "uid": uid, "provenance": _provenance(exchange)}
    return 202, _shown_point(exchange.organisation.points[uid])


def _point(exchange: Exchange) -> Row:
    found = exchange.organisation.points.get(exchange.param("UID"))
    if found is None:
        raise Refusal(404, "contact point not found")
    return found


def put_point(exchange: Exchange) -> Answered:
    """A secure setting that comes back as it was shown stays as it is."""
    found, body = _point(exchange), copy.deepcopy(exchange.body)
    _refuse(found, _provenance(exchange))
    for name in _SECURE.get(body["type"], ()):
        if body["settings"].get(name) == _REDACTED:
            body["settings"][name] = found["settings"][name]
    _check_point(body)
    exchange.organisation.points[found["uid"]] = {**body, "uid": found["uid"], "provenance": _provenance(exchange)}
    return 202, {"message": "contactpoint updated"}


def delete_point(exchange: Exchange) -> Answered:
    found = _point(exchange)
    if found["name"] in _receivers(exchange.organisation.policies):
        raise Refusal(409, "contact point is currently used by a notification policy")
    del exchange.organisation.points[found["uid"]]
    return 202, {"message": "contactpoint deleted"}


def _receivers(route: Row) -> set[str]:
    inner = [_receivers(child) for child in route.get("routes") or ()]
    return {str(route.get("receiver", "")), *(name for names in inner for name in names)}


def put_policies(exchange: Exchange) -> Answered:
    _refuse(exchange.organisation.policies, _provenance(exchange))
    known = {point["name"] for point in exchange.organisation.points.values()} | {"grafana-default-email"}
    for name in _receivers(exchange.body):
        if name and name not in known:
            raise Refusal(400, f"invalid object specification: receiver '{name}' does not exist")
    exchange.organisation.policies = {**exchange.body, "provenance": _provenance(exchange)}
    return 202, {"message": "policies updated"}


def _timing(exchange: Exchange) -> Row:
    found = exchange.organisation.timings.get(exchange.param("name"))
    if found is None:
        raise Refusal(404, "time interval not found")
    return found


def create_timing(exchange: Exchange) -> Answered:
    body = exchange.body
    if not body.get("name") or not body.get("time_intervals"):
        raise Refusal(400, "invalid time interval")
    if body["name"] in exchange.organisation.timings:
        raise Refusal(409, "time interval already exists")
    row = {**body, "version": f"v{exchange.state.number()}", "provenance": _provenance(exchange)}
    exchange.organisation.timings[body["name"]] = row
    return 201, row


def delete_timing(exchange: Exchange) -> Answered:
    found = _timing(exchange)
    _refuse(found, _provenance(exchange))
    if exchange.first("version") not in ("", found["version"]):
        raise Refusal(409, "provided version does not match the current one")
    del exchange.organisation.timings[found["name"]]
    return 204, None


def get_states(exchange: Exchange) -> Answered:
    """The rules of the state by folder and group, with what `states` says of each."""
    organisation = exchange.organisation
    groups: dict[tuple[str, str], Row] = {}
    for rule in organisation.rules.values():
        key = (rule["folderUID"], rule["ruleGroup"])
        place = organisation.folders[rule["folderUID"]].title
        group = groups.setdefault(
            key, {"name": rule["ruleGroup"], "file": place, "folderUid": rule["folderUID"], "rules": []}
        )
        told = {"state": "inactive", "health": "ok", "alerts": [], **organisation.states.get(rule["uid"], {})}
        group["rules"].append({"name": rule["title"], "uid": rule["uid"], "labels": rule.get("labels") or {}, **told})
    return 200, {"status": "success", "data": {"groups": list(groups.values())}}


def _matches(row: Row, filters: list[str]) -> bool:
    for text in filters:
        name, _, value = text.partition("=")
        if row["labels"].get(name) != value.strip('"'):
            return False
    return True


def get_alerts(exchange: Exchange) -> Answered:
    return 200, [row for row in exchange.organisation.alerts if _matches(row, exchange.query.get("filter", []))]


def get_silences(exchange: Exchange) -> Answered:
    return 200, list(exchange.organisation.silences.values())


def _refuse_regex(matcher: Row) -> None:
    if matcher["isRegex"]:
        try:
            re.compile(matcher["value"])
        except re.error as error:
            raise Refusal(400, f"silence invalid: error parsing regexp: {error}") from None


def _matches_nothing(matcher: Row) -> bool:
    """Whether it matches a label that is absent."""
    value = matcher["value"]
    found = re.fullmatch(value, "") is not None if matcher["isRegex"] else value == ""
    return found is bool(matcher["isEqual"])


def create_silence(exchange: Exchange) -> Answered:
    body = exchange.body
    starts, ends = (datetime.fromisoformat(body[word]) for word in ("startsAt", "endsAt"))
    if not body["matchers"] or ends <= starts:
        raise Refusal(400, "silence invalid")
    for matcher in body["matchers"]:
        _refuse_regex(matcher)
    if all(_matches_nothing(matcher) for matcher in body["matchers"]):
        raise Refusal(400, "silence invalid: at least one matcher must not match the empty string")
    uid = exchange.state.uid("s")
    exchange.organisation.silences[uid] = {**body, "id": uid, "status": {"state": "active"}, "updatedAt": NOW}
    return 202, {"silenceID": uid}


def _silence(exchange: Exchange) -> Row:
    found = exchange.organisation.silences.get(exchange.param("SilenceId"))
    if found is None:
        raise Refusal(404, "silence not found")
    return found


def delete_silence(exchange: Exchange) -> Answered:
    _silence(exchange)["status"] = {"state": "expired"}
    return 200, {"message": "silence deleted"}


_AM = "/api/alertmanager/grafana/api/v2"
_V1 = "/api/v1/provisioning"
HANDLERS: dict[str, Handler] = {
    f"GET {_V1}/alert-rules": lambda exchange: (200, list(exchange.organisation.rules.values())),
    f"POST {_V1}/alert-rules": create_rule,
    f"GET {_V1}/alert-rules/{{UID}}": lambda exchange: (200, _rule(exchange)),
    f"PUT {_V1}/alert-rules/{{UID}}": put_rule,
    f"DELETE {_V1}/alert-rules/{{UID}}": delete_rule,
    f"GET {_V1}/folder/{{FolderUID}}/rule-groups/{{Group}}": get_group,
    f"GET {_V1}/contact-points": get_points,
    f"POST {_V1}/contact-points": create_point,
    f"PUT {_V1}/contact-points/{{UID}}": put_point,
    f"DELETE {_V1}/contact-points/{{UID}}": delete_point,
    f"GET {_V1}/policies": lambda exchange: (200, exchange.organisation.policies),
    f"PUT {_V1}/policies": put_policies,
    f"GET {_V1}/mute-timings": lambda exchange: (200, list(exchange.organisation.timings.values())),
    f"POST {_V1}/mute-timings": create_timing,
    f"GET {_V1}/mute-timings/{{name}}": lambda exchange: (200, _timing(exchange)),
    f"DELETE {_V1}/mute-timings/{{name}}": delete_timing,
    "GET /api/prometheus/grafana/api/v1/rules": get_states,
    f"GET {_AM}/alerts": get_alerts,
    f"GET {_AM}/silences": get_silences,
    f"POST {_AM}/silences": create_silence,
    f"GET {_AM}/silence/{{SilenceId}}": lambda exchange: (200, _silence(exchange)),
    f"DELETE {_AM}/silence/{{SilenceId}}": delete_silence,
}
