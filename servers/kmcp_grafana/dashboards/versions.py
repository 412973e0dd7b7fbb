"""Versions of a dashboard: listed, shown, compared, restored."""

from typing import Any

from kmcp_grafana.actions.arguments import Fields, Uid
from kmcp_grafana.actions.changes import send_change
from kmcp_grafana.actions.listing import read_continued_page
from kmcp_grafana.actions.results import Answer, Difference, pick, show_whole
from kmcp_grafana.actions.specs import Spec, Text, optional
from kmcp_grafana.client.failures import is_absent
from kmcp_grafana.client.grafana import Grafana, Params, Request, Row, at
from kmcp_grafana.dashboards import storage
from kmcp_grafana.dashboards.model_paths import ModelPath, read_path
from kmcp_grafana.dashboards.outline import outline_of
from kmcp_grafana.dashboards.storage import Version
from kmcp_runtime import Cursor, Diff, Limit, ToolFailure, not_found
from kmcp_runtime.upstream import Refused

_VERSION = ("version", "created", "createdBy", "message", "parentVersion", "restoredFrom")
OTHER = Spec(uid=optional(Text), version=optional(int))


async def get_versions(grafana: Grafana, uid: Uid, limit: Limit = 50, cursor: Cursor = None) -> Answer:
    path = at("/api/dashboards/uid/{}/versions", uid)

    async def fetch(size: int, token: str | None, before: int) -> tuple[list[Row], str | None, bool]:
        """Newer versions of Grafana continue by a token, older ones by the number of versions before."""
        on: Params = [("continueToken", token)] if token else [("start", before)] if before else []
        rows, following = _split_answer(await grafana.read(path, [("limit", size), *on]))
        if following or len(rows) < size:
            return rows, following, following is not None
        # After a full page neither says whether it was the last. A Grafana that ignores `start` repeats the newest.
        after, _ = _split_answer(await grafana.read(path, [("limit", 1), ("start", before + size)]))
        return rows, None, bool(after) and after[0]["version"] < rows[-1]["version"]

    try:
        return await read_continued_page(grafana, fetch, lambda row: pick(row, *_VERSION), limit, cursor)
    except Refused as refused:
        if not is_absent(refused, uid):
            raise
        raise await _explain_missing_versions(grafana, uid) from None


async def get_version(grafana: Grafana, uid: Uid, version: Version, path: ModelPath | None = None) -> Answer:
    found = await _read_version(grafana, uid, version)
    if path is not None:
        return show_whole(read_path(found["data"], path))
    return Answer(item={**pick(found, *_VERSION), **outline_of(found["data"])}, truncated=False)


async def restore_version(grafana: Grafana, uid: Uid, version: Version) -> Answer:
    current = await storage.load_dashboard(grafana, uid)
    storage.refuse_managed(current)
    wanted = await _read_version(grafana, uid, version)
    request = Request(method="POST", path=at("/api/dashboards/uid/{}/restore", uid), body={"version": version})
    about = {"uid": uid, "title": current.title, "version_before": current.version}
    after = storage.without_own(wanted["data"])
    return await send_change(
        grafana,
        request,
        f"restored version {version}",
        before=current.plain,
        after=after,
        about=about,
        reply=("version",),
        link=current.link,
    )


async def calculate_diff(grafana: Grafana, uid: Uid, version: Version, spec: Fields | None = None) -> Answer:
    """The difference from `version` to the other one."""
    other_uid = str((spec or {}).get("uid") or uid)
    other = (spec or {}).get("version")
    if other is None:
        other = (await storage.load_dashboard(grafana, other_uid)).version
    # Newer versions of Grafana no longer compare, so both are read and compared here.
    base, compared = await _read_version(grafana, uid, version), await _read_version(grafana, other_uid, int(other))
    diff = Diff(storage.without_own(base["data"]), storage.without_own(compared["data"]))
    shown = {"base": f"{uid} version {version}", "other": f"{other_uid} version {other}"}
    hint = None if diff.changed else "The two are the same."
    return Difference(item=shown, changed=diff.changed, diff=diff if diff.changed else None, hint=hint)


async def _read_version(grafana: Grafana, uid: str, version: int) -> Row:
    try:
        found: Row = await grafana.read(at("/api/dashboards/uid/{}/versions/{}", uid, version))
    except Refused as refused:
        if not is_absent(refused, uid):
            raise
        raise await _explain_missing_version(grafana, uid, version) from None
    return found


def _split_answer(answered: Any) -> tuple[list[Row], str | None]:
    """The versions, and the token that continues the list."""
    # Older versions of Grafana answer a plain list, which they continue by `start`.
    if isinstance(answered, dict):
        return answered["versions"], answered.get("continueToken") or None
    return answered, None


async def _explain_missing_version(grafana: Grafana, uid: str, version: int) -> ToolFailure:
    """`not_found` for what is absent: the dashboard, or its version."""
    current = await storage.load_dashboard(grafana, uid)
    return not_found(
        f"dashboard {uid} has no version {version}; it is at version {current.version}",
        f"grafana_dashboard_management action=get_versions uid={uid} lists them",
        backend="grafana",
    )


async def _explain_missing_versions(grafana: Grafana, uid: str) -> ToolFailure:
    current = await storage.load_dashboard(grafana, uid)
    return not_found(f"dashboard {uid} has no stored versions; it is at version {current.version}", backend="grafana")
