"""Arguments that several tools of this server take."""

from typing import Annotated, Literal

from pydantic import AfterValidator

from kmcp_runtime import check_name

ResourceType = Annotated[str, "Kind, plural[.group] or short name"]
ResourceName = Annotated[str, AfterValidator(check_name), "Object name"]
PodName = Annotated[str, AfterValidator(check_name), "Pod"]
Container = Annotated[str | None, AfterValidator(lambda name: name and check_name(name)), "Container"]
Output = Literal["table", "wide", "yaml", "json", "names"]
