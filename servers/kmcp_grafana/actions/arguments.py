"""Arguments that actions of several tools take; those of one subject stand beside its functions."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from kmcp_grafana.actions.moments import end_of, start_of
from kmcp_runtime import check_name


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value


def _uid(value: str) -> str:
    # Blanks stand in titles, which callers often give: the search for what has such a title then names its uid.
    check_name(value.replace(" ", "_"))
    return value


# Of a moment pydantic would publish the type that is left after parsing, a number; callers may write text, too.
_MOMENT = WithJsonSchema({"type": "string"})
_FROM, _UNTIL = "From, e.g. now-1h", "Until"
Start = Annotated[float, BeforeValidator(start_of), _MOMENT, _FROM]
End = Annotated[float, BeforeValidator(end_of), _MOMENT, _UNTIL]
# `Start | None` would lose the description: pydantic keeps it inside the union. Actions need no such pair, since their
# table adds the None.
OptionalStart = Annotated[float | None, BeforeValidator(start_of), _MOMENT, _FROM]
OptionalEnd = Annotated[float | None, BeforeValidator(end_of), _MOMENT, _UNTIL]
OrgId = Annotated[int, "Organisation", Field(ge=1)]
UserId = Annotated[int, "User", Field(ge=1)]
TeamId = Annotated[str, AfterValidator(check_name), "Team (numeric id)"]
Uid = Annotated[str, AfterValidator(_uid), "uid"]
FolderUid = Annotated[str, AfterValidator(_uid), "Folder uid"]
PanelId = Annotated[int, "Panel", Field(ge=0)]
Name = Annotated[str, AfterValidator(_not_blank), "Name"]
Query = Annotated[str, "Part of a name"]
Tags = Annotated[list[str], "Tags, all of them"]
MaxPoints = Annotated[int, "Points per series", Field(ge=1, le=5000)]
Fields = Annotated[dict[str, Any], "Fields, see action"]
