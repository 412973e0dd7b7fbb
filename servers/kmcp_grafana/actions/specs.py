"""What `spec` holds: for each action the fields as Grafana names them, checked before anything is sent."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from kmcp_runtime import bad_argument, faults, redaction

# Every field of every action costs tokens in each list of tools; a long list of fields is in the hints alone.
_MOST_LISTED = 16
_MISSING = ": required"

Text = Annotated[str, Field(min_length=1)]
"""A text that may not be empty."""
Role = Literal["Viewer", "Editor", "Admin", "None"]


class Spec:
    """The fields of one action: `name=required(Text)`, `email=optional(str)`.

    At least one field of `either` is required. `free` takes any field, for what Grafana passes on to a plugin unread.
    `restores` takes marks of hidden values: the action puts the live values back in their place.
    """

    def __init__(
        self, *, either: tuple[str, ...] = (), free: bool = False, restores: bool = False, **fields: Any
    ) -> None:
        config = ConfigDict(extra="allow" if free else "forbid", strict=True)
        self.model: type[BaseModel] = create_model("Spec", __config__=config, **fields)
        self.free = free
        self.restores = restores
        self.either = either
        self.required = tuple(name for name, info in self.model.model_fields.items() if info.is_required())

    def usage(self) -> str:
        """`{name, email?}`: all fields when they are few, otherwise those that are required."""
        names = list(self.model.model_fields)
        if self.free:
            return "{…}"
        if len(names) > _MOST_LISTED and (self.required or self.either):
            return "{" + ", ".join([*self.required, "|".join(self.either)] if self.either else self.required) + ", …}"
        return "{" + ", ".join(self._marked(name) for name in names) + "}"

    def whole(self) -> str:
        """All fields, for a hint."""
        return "{" + ", ".join(self._marked(name) for name in self.model.model_fields) + "}"

    def check(self, given: Any, action: str) -> dict[str, Any]:
        """The fields exactly as given; `bad_argument` names each that is wrong or missing, and all that there are."""
        hint = f"{action} takes spec{self.whole()}"
        if not self.restores:
            redaction.refuse_marks({"spec": given})
        if not isinstance(given, Mapping):
            raise bad_argument(f"spec: {action} needs an object", hint)
        try:
            self.model.model_validate(dict(given))
        except ValidationError as error:
            raise bad_argument(self._describe(faults(self.model, error, "field")), hint) from None
        if self.either and not any(given.get(name) is not None for name in self.either):
            raise bad_argument(f"spec: {action} needs {' or '.join(self.either)}", hint)
        # The model only checks: what it would fill in or convert is not what the caller wrote.
        return dict(given)

    def _describe(self, found: list[str]) -> str:
        """The faults as one sentence."""
        lacking = [fault.removesuffix(_MISSING) for fault in found if fault.endswith(_MISSING)]
        wrong = [fault for fault in found if not fault.endswith(_MISSING)]
        shown = [f"spec lacks {', '.join(lacking)}"] if lacking else []
        for fault in wrong:
            name, separator, why = fault.partition(": ")
            unknown = fault.startswith("unknown field") or not separator
            # Never `field: …`: the redaction would take `password: is wrong` for a password, and cover the reason.
            shown.append(f"spec has {fault}" if unknown else f"spec.{name} is wrong: {why}")
        return "; ".join(shown)

    def _marked(self, name: str) -> str:
        return name if name in self.required else f"{name}?"


def required(kind: Any) -> Any:
    return (kind, ...)


def optional(kind: Any) -> Any:
    return (kind, None)
