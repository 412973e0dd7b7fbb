"""Words of arguments that several tools of this server take."""

from typing import Annotated, Any

from pydantic import AfterValidator

from kmcp_runtime.arguments import Time, Word, check_name


def identifier(value: str | None) -> str | None:
    """What may stand in a path, or nothing."""
    return value if value is None else check_name(value)


def _named(value: str | None) -> str | None:
    if value is not None and not value.strip():
        raise ValueError("must not be empty")
    return value


OrgId = Annotated[int | None, Word("Organisation", ge=1)]
UserId = Annotated[int | None, Word("User", ge=1)]
Uid = Annotated[str | None, AfterValidator(identifier), Word("uid")]
Start = Annotated[Time | None, Word("From")]
End = Annotated[Time | None, Word("Until")]
TeamId = Annotated[str | None, AfterValidator(identifier), Word("Team (numeric id)")]
MaxPoints = Annotated[int, Word("Points a series", ge=1, le=5000)]
FolderUid = Annotated[str | None, AfterValidator(identifier), Word("Folder uid")]
Name = Annotated[str | None, AfterValidator(_named), Word("Name")]
Query = Annotated[str | None, Word("Part of a name")]
Tags = Annotated[list[str] | None, Word("Tags, all of them")]
Spec = Annotated[dict[str, Any] | None, Word("Fields, see action")]
