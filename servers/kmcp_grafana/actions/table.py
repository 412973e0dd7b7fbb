"""A tool of several actions, declared once: a table whose rows are the actions.

    grafana_team_management = action_tool(
        __name__,
        "Manage teams and their members.",
        Action("search", Effect.READ, teams.search_teams),
        Action("get", Effect.READ, teams.get_team),
    )

The annotated parameters of a row's function are the arguments that its action takes; those without a default are
needed. The tool's function, its schemas, its effects by action, the usage of each action and the read-only form all
follow from the rows.
"""

import inspect
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import NoneType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from kmcp_grafana.actions.results import Answer
from kmcp_grafana.actions.specs import Spec
from kmcp_grafana.client.failures import NEEDS_ADMINISTRATOR
from kmcp_grafana.client.grafana import Grafana
from kmcp_runtime import DryRun, Effect, EffectByArgument, bad_argument, did_you_mean, tool
from kmcp_runtime.upstream import Refused

STAND_IN = (
    "tests run against a server that checks each request against Grafana's published API; "
    "a real Grafana needs a container engine"
)
"""Why the catalog says of every tool here that no real Grafana was met."""

_EVERYWHERE = ("action", "dry_run", "approval")
_SELF_EXPLAINING = ("limit", "cursor")
"""Arguments that no action's usage mentions, to save tokens: their own descriptions say all."""
_LAST = ("limit", "cursor", "spec", "dry_run")
_FROM_MILD_TO_GRAVE = (Effect.READ, Effect.WRITE, Effect.DESTROY)
_ActionTool = Callable[..., Awaitable[Answer]]


@dataclass(frozen=True)
class Action:
    """A row: what the action is called, what it does to Grafana, and the function that does it."""

    name: str
    effect: Effect
    run: Callable[..., Awaitable[Answer]]
    spec: Spec | None = None
    """The fields that its argument `spec` takes."""
    admin: bool = False
    """True when it needs a server administrator."""
    either: tuple[str, ...] = ()
    """Arguments of which at least one is needed."""

    @cached_property
    def parameters(self) -> dict[str, tuple[Any, Any]]:
        """Annotation and default of each argument by name; the default of a needed one is `Parameter.empty`."""
        hints = get_type_hints(self.run, include_extras=True)
        found = inspect.signature(self.run).parameters
        return {name: (hints[name], found[name].default) for name in found if name != "grafana"}

    @property
    def takes(self) -> tuple[str, ...]:
        return tuple(self.parameters)

    @property
    def needs(self) -> tuple[str, ...]:
        return tuple(name for name, (_, default) in self.parameters.items() if default is inspect.Parameter.empty)

    def usage(self) -> str:
        """`update_org(org_id, spec{name})`: what it needs, and with a question mark what it also takes."""
        parts = ["|".join(self.either)] if self.either else []
        parts += [self._argument(name) for name in self.takes if name not in (*self.either, *_SELF_EXPLAINING)]
        return f"{self.name}({', '.join(parts)})"

    def _argument(self, name: str) -> str:
        shown = f"spec{self.spec.usage()}" if name == "spec" and self.spec else name
        return shown if name in self.needs else f"{shown}?"

    def check(self, given: Mapping[str, Any], named: Collection[str]) -> dict[str, Any]:
        """The function's arguments; `bad_argument` when one is missing or belongs to another action.

        `given` holds every argument with its value or default, `named` those that the caller wrote.
        """
        hint = f"use {self.usage()}"
        missing = [name for name in self.needs if given.get(name) is None]
        foreign = [name for name in named if name not in (*self.takes, *_EVERYWHERE)]
        if foreign:
            raise bad_argument(f"{self.name} does not take {', '.join(sorted(foreign))}{self._suggest(foreign)}", hint)
        if missing:
            raise bad_argument(f"{self.name} needs {', '.join(missing)}", hint)
        if self.either and all(given.get(name) is None for name in self.either):
            raise bad_argument(f"{self.name} needs {' or '.join(self.either)}", hint)
        # Arguments that another action has a default for (limit, max_points) are not passed to this one.
        passed = {name: given[name] for name in self.takes if given.get(name) is not None}
        if "spec" in passed:
            passed["spec"] = (self.spec or Spec(free=True)).check(passed["spec"], self.name)
        return passed

    def _suggest(self, foreign: Collection[str]) -> str:
        own = [name for name in (*self.needs, *self.either) if name != "spec"]
        if len(own) == 1:
            # Most likely the identifier of another action was meant as the one that this action needs.
            return f": did you mean {own[0]}?"
        suggestion = did_you_mean(sorted(foreign)[0], self.takes)
        return f": {suggestion}" if suggestion else ""


class Table:
    """The actions of one tool by name; `find` is the call that lists what they are about, for hints."""

    def __init__(self, actions: Collection[Action], find: str | None = None) -> None:
        self.actions = {action.name: action for action in actions}
        self.find = find

    @property
    def effect(self) -> Effect:
        """The gravest effect of its actions."""
        return max((action.effect for action in self.actions.values()), key=_FROM_MILD_TO_GRAVE.index)

    def by(self) -> EffectByArgument:
        return EffectByArgument(
            "action",
            {name: action.effect for name, action in self.actions.items()},
            usage={name: action.usage() for name, action in self.actions.items()},
            takes={name: action.takes for name, action in self.actions.items()},
        )

    def arguments(self, first: Collection[str] = ()) -> dict[str, tuple[Any, Any]]:
        """Annotation and default of every argument of the tool, in the order of its schema.

        `first` lead; then come those that an action needs, then the others. TypeError where two actions disagree.
        """
        found: dict[str, tuple[Any, Any]] = {}
        for action in self.actions.values():
            for name, parameter in action.parameters.items():
                argument = _optional(*parameter)
                if found.setdefault(name, argument) != argument:
                    raise TypeError(f"{action.name} declares {name} differently from an action before it")
        if self.effect is not Effect.READ:
            found["dry_run"] = (DryRun, False)
        needed = [name for action in self.actions.values() for name in (*action.needs, *action.either)]
        names = [name for name in (*first, *needed, *found) if name not in _LAST]
        names += [name for name in _LAST if name in found]
        usage = " ".join(action.usage() for action in self.actions.values())
        action_argument = Annotated[str, OneOf(tuple(self.actions)), usage]
        return {"action": (action_argument, inspect.Parameter.empty), **{name: found[name] for name in names}}

    async def perform(self, grafana: Grafana) -> Answer:
        """Run the action of this call."""
        call = grafana.call
        action = self.actions[call.arguments["action"]]
        passed = action.check(call.arguments, call.given)
        if action.admin:
            grafana = grafana.as_administrator(action.name)
        try:
            return await action.run(grafana, **passed)
        except Refused as refused:
            # A service account gets the same 403 as somebody without the permission, but cannot be given it.
            if refused.status == 403 and action.admin:
                refused.hint = NEEDS_ADMINISTRATOR
            if refused.status == 404:
                refused.hint = f"{self.find} lists what there is" if self.find else "check the identifier"
            raise


def action_tool(
    module: str,
    description: str,
    *actions: Action,
    find: str | None = None,
    first: Collection[str] = (),
    extra: bool = False,
) -> _ActionTool:
    """Declare the tool that is called `grafana_` and the name of its module, which is where it must be defined.

    `find` is the action that lists what the others are about. `first` names the arguments that the schema lists first.
    """
    name = f"grafana_{module.rpartition('.')[2]}"
    table = Table(actions, f"{name} action={find}" if find else None)

    async def perform(grafana: Grafana, **_: Any) -> Answer:
        # The arguments are in `grafana.call`, which knows which of them the caller wrote.
        return await table.perform(grafana)

    arguments = table.arguments(first)
    annotations = {argument: annotation for argument, (annotation, _) in arguments.items()}
    # The decorator reads a function as an author writes one, so the generated one gets a signature to read.
    perform.__annotations__ = {**annotations, "grafana": Grafana, "return": Answer}
    perform.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            *(_keyword(argument, default) for argument, (_, default) in arguments.items()),
            _keyword("grafana", inspect.Parameter.empty),
        ]
    )
    perform.__name__ = perform.__qualname__ = name
    perform.__module__, perform.__doc__ = module, description
    perform.table = table  # type: ignore[attr-defined]
    # `Spec` refuses the marks of hidden values for those actions that do not put the live values back.
    restores = ("spec",) if "spec" in arguments else ()
    options: dict[str, Any] = {"extra": extra, "restores": restores, "verified": "stand-in", "why": STAND_IN}
    return tool(table.effect, by=table.by(), **options)(perform)


def table_of(function: Callable[..., Any]) -> Table:
    """The table behind a tool that `action_tool` declared."""
    found: Table = function.table  # type: ignore[attr-defined]
    return found


def _keyword(name: str, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)


def _optional(annotation: Any, default: Any) -> tuple[Any, Any]:
    """An argument of one action as the tool has it: what one action needs, another may not take."""
    if default is not inspect.Parameter.empty and default is not None:
        return annotation, default
    if get_origin(annotation) is not Annotated:
        annotation = next(part for part in get_args(annotation) if part is not NoneType)
    kind, *described = get_args(annotation)
    return Annotated[(kind | None, *described)], None


class OneOf:
    """Limits an argument to these texts, as `Literal` does, where the texts are the rows of a table."""

    def __init__(self, values: tuple[str, ...]) -> None:
        self.values = values

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        # `Literal` takes no values at run time under the type checker, so its schema is made directly.
        return core_schema.literal_schema(list(self.values))
