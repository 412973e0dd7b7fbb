"""The actions of a tool: a table whose rows are functions, and the strict check of what each is given.

The parameters of a row's function are the arguments that its action takes, those without a default are needed.
"""

import inspect
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from kmcp_grafana.actions.results import Answer
from kmcp_grafana.actions.specs import Spec
from kmcp_grafana.client.failures import NEEDS_ADMINISTRATOR
from kmcp_grafana.client.grafana import Grafana
from kmcp_runtime import Effect, EffectByArgument, Word, bad_argument, did_you_mean
from kmcp_runtime.upstream import Refused

_EVERYWHERE = ("action", "dry_run", "approval")
_UNTOLD = ("limit", "cursor")
"""Words that say themselves what they are for."""


@dataclass(frozen=True)
class Action:
    run: Callable[..., Awaitable[Answer]]
    effect: Effect
    spec: Spec | None = None
    admin: bool = False
    """True when it needs a server administrator."""
    either: tuple[str, ...] = ()
    """Arguments of which at least one is needed."""

    @property
    def name(self) -> str:
        return self.run.__name__.rstrip("_")

    @cached_property
    def takes(self) -> tuple[str, ...]:
        return tuple(name for name in inspect.signature(self.run).parameters if name != "grafana")

    @cached_property
    def needs(self) -> tuple[str, ...]:
        parameters = inspect.signature(self.run).parameters
        return tuple(name for name in self.takes if parameters[name].default is inspect.Parameter.empty)

    def told(self) -> str:
        """`update_org(org_id, spec{name})`: what it needs, and with a question mark what it may be given."""
        parts = ["|".join(self.either)] if self.either else []
        parts += [self._argument(name) for name in self.takes if name not in (*self.either, *_UNTOLD)]
        return f"{self.name}({', '.join(parts)})"

    def _argument(self, name: str) -> str:
        told = f"spec{self.spec.told()}" if name == "spec" and self.spec else name
        return told if name in self.needs else f"{told}?"

    def arguments(self, given: Mapping[str, Any], named: Collection[str]) -> dict[str, Any]:
        """The function's arguments; `bad_argument` when one is missing or belongs to another action."""
        hint = f"use {self.told()}"
        missing = [name for name in self.needs if given.get(name) is None]
        foreign = [name for name in named if name not in (*self.takes, *_EVERYWHERE)]
        if foreign:
            raise bad_argument(f"{self.name} does not take {', '.join(sorted(foreign))}{self._meant(foreign)}", hint)
        if missing:
            raise bad_argument(f"{self.name} needs {', '.join(missing)}", hint)
        if self.either and all(given.get(name) is None for name in self.either):
            raise bad_argument(f"{self.name} needs {' or '.join(self.either)}", hint)
        passed = {name: given[name] for name in self.takes if given.get(name) is not None}
        if self.spec and "spec" in passed:
            passed["spec"] = self.spec.checked(passed["spec"], self.name)
        return passed

    def _meant(self, foreign: Collection[str]) -> str:
        """An identifier of another action: most likely the one that this action needs."""
        own = [name for name in (*self.needs, *self.either) if name != "spec"]
        if len(own) == 1:
            return f": did you mean {own[0]}?"
        suggestion = did_you_mean(sorted(foreign)[0], self.takes)
        return f": {suggestion}" if suggestion else ""


class Table:
    """The actions of one tool by name; `find` is the call that lists what they are about, for hints."""

    def __init__(self, *actions: Action, find: str | None = None) -> None:
        self.actions = {action.name: action for action in actions}
        self.find = find

    def by(self) -> EffectByArgument:
        return EffectByArgument(
            "action",
            {name: action.effect for name, action in self.actions.items()},
            usage={name: action.told() for name, action in self.actions.items()},
            takes={name: action.takes for name, action in self.actions.items()},
        )

    def values(self) -> "OneOf":
        return OneOf(tuple(self.actions))

    def word(self) -> Any:
        return Word(self.by().told(self.actions) or "")

    async def perform(self, grafana: Grafana) -> Answer:
        """Run the action of this call."""
        call = grafana.call
        action = self.actions[call.arguments["action"]]
        passed = action.arguments(call.arguments, call.given)
        if action.admin:
            grafana = grafana.as_administrator(action.name)
        try:
            return await action.run(grafana, **passed)
        except Refused as refused:
            if refused.status == 403 and action.admin:
                refused.hint = NEEDS_ADMINISTRATOR
            if refused.status == 404:
                refused.hint = f"{self.find} lists what there is" if self.find else "check the identifier"
            raise


class OneOf:
    """Limits an argument to these texts, as `Literal` does, where the texts are the rows of a table."""

    def __init__(self, values: tuple[str, ...]) -> None:
        self.values = values

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.literal_schema(list(self.values))
