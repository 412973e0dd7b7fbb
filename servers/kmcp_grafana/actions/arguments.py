"""Words of arguments that several tools of this server take."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from kmcp_runtime import Word, check_name, moment_of


def identifier(value: str | None) -> str | None:
    """What may stand in a path, or nothing."""
    return value if value is None else check_name(value)


def _named(value: str | None) -> str | None:
    if value is not None and not value.strip():
        raise ValueError("must not be empty")
    return value


def _moment(value: Any) -> Any:
    return None if value is None else moment_of(value)


_MOMENT = WithJsonSchema({"type": ["string", "number"]})
Start = Annotated[float | None, BeforeValidator(_moment), _MOMENT, Word("From, e.g. now-1h")]
End = Annotated[float | None, BeforeValidator(_moment), _MOMENT, Word("Until")]
OrgId = Annotated[int | None, Word("Organisation", ge=1)]
UserId = Annotated[int | None, Word("User", ge=1)]
TeamId = Annotated[str | None, AfterValidator(identifier), Word("Team (numeric id)")]
Uid = Annotated[str | None, AfterValidator(identifier), Word("uid")]
FolderUid = Annotated[str | None, AfterValidator(identifier), Word("Folder uid")]
Name = Annotated[str | None, AfterValidator(_named), Word("Name")]
Query = Annotated[str | None, Word("Part of a name")]
Tags = Annotated[list[str] | None, Word("Tags, all of them")]
MaxPoints = Annotated[int, Word("Points a series", ge=1, le=5000)]
Spec = Annotated[dict[str, Any] | None, Word("Fields, see action")]
