"""Arguments that several tools of this server take."""

from typing import Annotated, Literal

from pydantic import AfterValidator

from kmcp_runtime import Word, check_name

ResourceType = Annotated[str, Word("Kind, plural[.group] or short name")]
ResourceName = Annotated[str, AfterValidator(check_name), Word("Object name")]
PodName = Annotated[str, AfterValidator(check_name), Word("Pod")]
Container = Annotated[str | None, AfterValidator(lambda name: name and check_name(name)), Word("Container")]
Output = Literal["table", "wide", "yaml", "json", "names"]
