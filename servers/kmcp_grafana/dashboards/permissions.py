"""Who may see, edit and administer a dashboard or a folder."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, model_validator

from kmcp_grafana.actions.changes import send_change
from kmcp_grafana.actions.results import Answer, pick
from kmcp_grafana.actions.specs import Spec, required
from kmcp_grafana.client.grafana import Grafana, Request, Row

_NAMES = {1: "View", 2: "Edit", 4: "Admin"}
_WHO = ("role", "teamId", "userId")


class Permission(BaseModel):
    """What one role, team or user may do."""

    model_config = ConfigDict(extra="forbid", strict=True)

    role: Literal["Viewer", "Editor", "Admin"] | None = None
    teamId: int | None = None  # noqa: N815  Grafana's own spelling
    userId: int | None = None  # noqa: N815
    permission: Annotated[Literal[1, 2, 4], "view, edit, admin"]

    @model_validator(mode="after")
    def _one(self) -> "Permission":
        if sum(getattr(self, who) is not None for who in _WHO) != 1:
            raise ValueError("exactly one of role, teamId and userId is needed")
        return self


SPEC = Spec(items=required(list[Permission]))


async def list_permissions(grafana: Grafana, path: str) -> Answer:
    rows: list[Row] = await grafana.read(path)
    items: list[Row | str] = [_row(row) for row in rows]
    return Answer(items=items, returned=len(items), total=len(items), truncated=False)


async def replace_permissions(grafana: Grafana, path: str, spec: Row, about: Row) -> Answer:
    """Replace the whole list; what is inherited from a folder stays."""
    # Inherited entries are shown here but belong to the folder; sending them would copy them.
    before = [_entry(row) for row in await grafana.read(path) if not row.get("inherited")]
    after = sorted((_entry(row) for row in spec["items"]), key=str)
    request = Request(method="POST", path=path, body=spec)
    return await send_change(grafana, request, "replaced", before=sorted(before, key=str), after=after, about=about)


def _row(row: Row) -> Row:
    who = pick(row, "role", "team", "teamId", "userLogin", "userId")
    return {**who, "permission": row.get("permissionName"), **pick(row, "inherited")}


def _entry(row: Row) -> Row:
    return {**pick(row, *_WHO), "permission": _NAMES.get(row["permission"], row["permission"])}
