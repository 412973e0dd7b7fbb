"""Arguments and results that several tools of this server share."""

from typing import Annotated

from pydantic import AfterValidator, Field

from kmcp_runtime import Diff, Result, check_name

RolloutName = Annotated[str, AfterValidator(check_name), "Rollout"]


class Written(Result):
    """What a change of a Rollout did."""

    name: str
    namespace: str
    status: str = Field(description="Of the Rollout after the change")
    message: str | None = None
    changed: bool
    diff: Diff | None = Field(default=None, description="Unified diff, without managedFields")
    dry_run: bool | None = Field(default=None, description="True when nothing was changed")
