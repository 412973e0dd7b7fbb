"""Arguments that several tools of this server take."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator

from kmcp_runtime import check_name


def _pod_name(value: Any) -> Any:
    """`pod/web` as kubectl writes it; what is behind another kind's name is no pod."""
    if not isinstance(value, str):
        return value
    kind, slash, name = value.partition("/")
    if not slash or kind.lower() in ("pod", "pods", "po"):
        return name or value
    raise ValueError(f"{value!r} is not a pod; for the pods of a workload give its name alone")


ResourceType = Annotated[str, "Kind, plural[.group] or short name"]
ResourceName = Annotated[str, AfterValidator(check_name), "Object name"]
PodName = Annotated[str, BeforeValidator(_pod_name), AfterValidator(check_name), "Pod"]
Container = Annotated[str | None, AfterValidator(lambda name: name and check_name(name)), "Container"]
Output = Literal["table", "wide", "yaml", "json", "names", "counts"]
