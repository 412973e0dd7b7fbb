"""Contact points: where alerts are sent."""

from typing import Any

from kmcp_grafana.actions.arguments import Fields, Name, Uid
from kmcp_grafana.actions.changes import merge_fields, send_change, send_deletion
from kmcp_grafana.actions.listing import explain_empty, slice_list
from kmcp_grafana.actions.results import Answer, pick
from kmcp_grafana.actions.specs import Spec, Text, optional, required
from kmcp_grafana.alerts import provenance
from kmcp_grafana.client.grafana import Grafana, Request, Row, at
from kmcp_runtime import Cursor, Limit, not_found, redaction

_PATH = "/api/v1/provisioning/contact-points"
_REDACTED = "[REDACTED]"
"""Grafana shows this instead of a secure setting, and takes it back as "unchanged"."""

# A list of what is open, and not of what is secure: a setting of a new kind is covered until it is known.
_OPEN = frozenset(
    {
        "addresses",
        "singleEmail",
        "subject",
        "message",
        "title",
        "text",
        "httpMethod",
        "recipient",
        "username",
        "channel",
        "severity",
        "class",
        "component",
        "group",
        "color",
        "maxAlerts",
        "priority",
        "sound",
        "description",
        "parse_mode",
        "disable_notifications",
        "disable_web_page_preview",
        "mentionUsers",
        "mentionGroups",
        "mentionChannel",
        "icon_emoji",
        "icon_url",
        "sendTagsAs",
        "autoClose",
        "overridePriority",
        "entity",
        "check",
        "handler",
        "namespace",
        "to_user",
        "kafkaTopic",
        "apiVersion",
        "kafkaClusterId",
        "msgType",
        "messageType",
        "client",
        "client_url",
        "use_discord_username",
    }
)
"""Settings that are secure in no kind of contact point; any other may be, as the address of a webhook is."""

NEW = Spec(
    name=required(Text),
    type=required(Text),
    settings=required(dict[str, Any]),
    disableResolveMessage=optional(bool),
    uid=optional(Text),
)
CHANGED = Spec(
    restores=True,
    name=optional(Text),
    type=optional(Text),
    settings=optional(dict[str, Any]),
    disableResolveMessage=optional(bool),
)


async def get_contact_points(
    grafana: Grafana, limit: Limit = 100, name: Name | None = None, cursor: Cursor = None
) -> Answer:
    rows = await grafana.read(_PATH, [("name", name)] if name else [])
    found = slice_list(grafana, rows, _row, limit, cursor)
    return explain_empty(found, f"No contact point is named {name!r}." if name else "There are no contact points.")


async def create_contact_point(grafana: Grafana, spec: Fields) -> Answer:
    request = Request(method="POST", path=_PATH, body=spec, headers=provenance.headers(grafana, None))
    return await send_change(
        grafana, request, "created", before=None, after=_cover_secrets(spec, {}), reply=("uid", "name")
    )


async def update_contact_point(grafana: Grafana, uid: Uid, spec: Fields) -> Answer:
    found = await _find_contact_point(grafana, uid)
    kept = provenance.changeable("contact point", uid, found)
    before = {field: value for field, value in found.items() if field != "provenance"}
    # PUT replaces: secure settings are sent back as `[REDACTED]`, which leaves them as they are.
    after = redaction.restore(merge_fields(before, spec), before, "spec")
    request = Request(
        method="PUT", path=f"{_PATH}/{at('{}', uid)}", body=after, headers=provenance.headers(grafana, kept)
    )
    shown = _cover_secrets(after, before)
    return await send_change(grafana, request, "updated", before=before, after=shown, about=pick(found, "uid", "name"))


async def delete_contact_point(grafana: Grafana, uid: Uid) -> Answer:
    found = await _find_contact_point(grafana, uid)
    # Unlike the other routes, this one takes no provenance header.
    provenance.changeable("contact point", uid, found)
    request = Request(method="DELETE", path=f"{_PATH}/{at('{}', uid)}")
    return await send_deletion(grafana, request, about=pick(found, "uid", "name", "type"), state=found)


async def _find_contact_point(grafana: Grafana, uid: str) -> Row:
    # The API has no route for a single contact point.
    rows: list[Row] = await grafana.read(_PATH)
    found = next((row for row in rows if row.get("uid") == uid), None)
    if found is None:
        known = ", ".join(f"{row['name']} ({row['uid']})" for row in rows[:5] if row.get("uid"))
        raise not_found(f"no contact point has uid {uid!r}; there are {known or 'none'}", "action=get_contact_points")
    return found


def _row(row: Row) -> Row:
    settings = row.get("settings") or {}
    return {**pick(row, "uid", "name", "type", "provenance", "disableResolveMessage"), "settings": settings}


def _cover_secrets(point: Row, before: Row) -> Row:
    """The contact point with fingerprints in place of settings that may be secure and that Grafana has not shown."""
    settings, shown = point.get("settings") or {}, before.get("settings") or {}
    covered = {
        name: value
        if name in _OPEN or shown.get(name) == value
        else redaction.mark(f"contact-point/{point.get('uid', '')}/{name}", str(value))
        for name, value in settings.items()
    }
    return {**point, "settings": covered}
