"""Arguments that actions of several tools take; those of one subject stand beside its functions."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from kmcp_runtime import Word, check_name, moment_of


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value


# Of a moment pydantic would publish the type that is left after parsing, a number; callers may write text, too.
_MOMENT = WithJsonSchema({"type": ["string", "number"]})
_FROM, _UNTIL = Word("From, e.g. now-1h"), Word("Until")
Start = Annotated[float, BeforeValidator(moment_of), _MOMENT, _FROM]
End = Annotated[float, BeforeValidator(moment_of), _MOMENT, _UNTIL]
# `Start | None` would lose the description: pydantic keeps it inside the union. Actions need no such pair, since their
# table adds the None.
OptionalStart = Annotated[float | None, BeforeValidator(moment_of), _MOMENT, _FROM]
OptionalEnd = Annotated[float | None, BeforeValidator(moment_of), _MOMENT, _UNTIL]
OrgId = Annotated[int, Word("Organisation", ge=1)]
UserId = Annotated[int, Word("User", ge=1)]
TeamId = Annotated[str, AfterValidator(check_name), Word("Team (numeric id)")]
Uid = Annotated[str, AfterValidator(check_name), Word("uid")]
FolderUid = Annotated[str, AfterValidator(check_name), Word("Folder uid")]
PanelId = Annotated[int, Word("Panel", ge=0)]
Name = Annotated[str, AfterValidator(_not_blank), Word("Name")]
Query = Annotated[str, Word("Part of a name")]
Tags = Annotated[list[str], Word("Tags, all of them")]
MaxPoints = Annotated[int, Word("Points a series", ge=1, le=5000)]
Fields = Annotated[dict[str, Any], Word("Fields, see action")]
