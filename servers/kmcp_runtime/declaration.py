"""Declaring a tool: one annotated function, everything else derived from it.

    @tool(Effect.WRITE, needs=(Rule("apps", ("deployments/scale",), ("patch",)),))
    async def k8s_scale(name: Name, replicas: Replicas, kube: Kube = injected()) -> Change:
        "Set how many pods a workload runs."

The name is the function's, the description its docstring, the input schema its annotated signature, the output schema
the `Result` it returns. Parameters whose default is `injected()` come from the server and are not in the schema.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Annotated, Any, Literal, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.fields import FieldInfo

from kmcp_runtime.catalog import Effect, Rule, reading_only
from kmcp_runtime.hints import Shows
from kmcp_runtime.output.results import Result
from kmcp_runtime.schema import input_schema, output_schema

Function = TypeVar("Function", bound=Callable[..., Awaitable[Result]])
Verified = Literal["real", "agent", "cli", "stand-in"]
__all__ = ["Effect", "EffectByArgument", "Injected", "Rule", "ToolSpec", "injected", "tool", "tools_below", "tools_in"]
_ATTRIBUTE = "__kmcp_tool__"
DEFAULT_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class EffectByArgument:
    """Effects that depend on the value of one argument; values not named have the tool's own effect.

    `usage` tells how each value is used, in its argument's description; `takes` names the other arguments that each
    value takes. A read-only server tells of its own values alone, and has no argument that none of them takes.
    """

    argument: str
    effects: Mapping[str, Effect]
    usage: Mapping[str, str] = field(default_factory=dict)
    takes: Mapping[str, Collection[str]] = field(default_factory=dict)
    needs: tuple[Rule, ...] | None = None
    """What the reading values need; by default what the tool needs to get, list and watch."""

    def reading(self) -> list[str]:
        return [value for value, effect in self.effects.items() if effect is Effect.READ]

    def told(self, values: Iterable[str]) -> str | None:
        """The description of the argument for these values; None when there is none but its own."""
        return " ".join(self.usage[value] for value in values if value in self.usage) or None

    def taken(self, values: Iterable[str]) -> frozenset[str] | None:
        """The arguments that some of these values take; None when it is not told."""
        return frozenset(name for value in values for name in self.takes.get(value, ())) if self.takes else None

    @classmethod
    def switch(cls, argument: str) -> "EffectByArgument":
        """A tool that only reads while this boolean argument is false."""
        return cls(argument, {f"{argument}=false": Effect.READ})

    def key(self, value: Any) -> str:
        """The value as `effects` names it: itself, or `argument=false` of a switch."""
        return f"{self.argument}={str(value).lower()}" if isinstance(value, bool) else str(value)


@dataclass(frozen=True)
class Injected:
    """Default value of a parameter that the server provides."""


def injected() -> Any:
    """Mark a parameter as provided by the server, found by its annotated type."""
    return Injected()


@dataclass(frozen=True, kw_only=True)
class ToolSpec:
    """A tool as declared: what the decorator was told and what the signature says."""

    function: Callable[..., Awaitable[Result]]
    name: str
    title: str
    description: str
    effect: Effect
    by: EffectByArgument | None
    needs: tuple[Rule, ...]
    timeout: float
    idempotent: bool
    destructive: bool
    open_world: bool
    extra: bool
    aliases: tuple[str, ...]
    ignored: tuple[str, ...]
    renamed: Mapping[str, str]
    verified: Verified
    why: str | None
    when: str | None
    shows: Shows | None
    arguments: type[BaseModel]
    result: type[Result]
    parameters: frozenset[str] = frozenset()
    """Arguments that the function itself takes; a server may add others (`context`, `approval`)."""
    injections: Mapping[str, type] = field(default_factory=dict)

    def effect_of(self, arguments: Mapping[str, Any]) -> Effect:
        if self.by is None:
            return self.effect
        return self.by.effects.get(self.by.key(arguments.get(self.by.argument)), self.effect)

    def can_destroy(self) -> bool:
        return _destroys(self.effect, self.by)

    def read_only(self) -> "ToolSpec | None":
        """The tool as a read-only server has it: nothing, itself, or only its reading values."""
        if self.by is None:
            return self if self.effect is Effect.READ else None
        reading = self.by.reading()
        if not reading:
            return None
        arguments = _narrowed(self.arguments, self.by, reading)
        needs = reading_only(self.needs) if self.by.needs is None else self.by.needs
        return replace(
            self, effect=Effect.READ, by=None, destructive=False, idempotent=True, arguments=arguments, needs=needs
        )

    def with_arguments(self, extra: Mapping[str, Any]) -> "ToolSpec":
        """The tool with arguments that its server adds: name to (annotation, default). Its own ones stay its own."""
        fields: dict[str, Any] = {name: added for name, added in extra.items() if name not in self.parameters}
        if not fields:
            return self
        return replace(self, arguments=create_model(self.arguments.__name__, __base__=self.arguments, **fields))

    def input_schema(self) -> dict[str, Any]:
        return input_schema(self.arguments)

    def output_schema(self) -> dict[str, Any]:
        return output_schema(self.result)


def tool(
    effect: Effect,
    *,
    title: str | None = None,
    needs: tuple[Rule, ...] = (),
    by: EffectByArgument | None = None,
    timeout: float = DEFAULT_TIMEOUT_SECONDS,
    idempotent: bool = False,
    destructive: bool | None = None,
    open_world: bool = True,
    extra: bool = False,
    aliases: tuple[str, ...] = (),
    ignored: tuple[str, ...] = (),
    renamed: Mapping[str, str] | None = None,
    verified: Verified = "real",
    why: str | None = None,
    when: str | None = None,
    shows: Shows | None = None,
) -> Callable[[Function], Function]:
    """Declare a function as a tool.

    `timeout` is in seconds. `idempotent` says that a repeated write changes nothing more. `destructive` overrides
    the hint (for a write that people should be asked about). `ignored` are arguments of older callers,
    accepted and dropped; `renamed` tells what other names of arguments are called here (those of arguments that this
    tool does not have are passed over, so that tools may share a table). `verified` and `why` say what the tool met
    when it was not a real backend. `when` names the configuration that a tool exists under, if the server's `left_out`
    leaves it out under others. `shows` is what hints of the runtime may name the tool for.
    """

    def declare(function: Function) -> Function:
        arguments, injections = _arguments(function, needs_approval=_destroys(effect, by))
        declared = ToolSpec(
            function=function,
            name=function.__name__,
            title=title or _title(function.__name__),
            description=" ".join((inspect.getdoc(function) or "").split()),
            effect=effect,
            by=by,
            needs=needs,
            timeout=timeout,
            idempotent=idempotent or effect is Effect.READ,
            destructive=effect is Effect.DESTROY if destructive is None else destructive,
            open_world=open_world,
            extra=extra,
            aliases=aliases,
            ignored=ignored,
            renamed=renamed or {},
            verified=verified,
            why=why,
            when=when,
            shows=shows,
            arguments=arguments,
            result=_result(function),
            injections=injections,
            parameters=frozenset(arguments.model_fields) - {"approval"},
        )
        setattr(function, _ATTRIBUTE, declared)
        return function

    return declare


def tools_in(*modules: ModuleType) -> tuple[ToolSpec, ...]:
    """Every tool that is defined in these modules, in the order of the source."""
    return tuple(found for module in modules for found in _declared_in(module))


def tools_below(package: ModuleType) -> tuple[ToolSpec, ...]:
    """Every tool of a package of tool modules, file by file; what a server of several subjects has."""
    names = sorted(found.name for found in pkgutil.iter_modules(package.__path__))
    return tools_in(*(importlib.import_module(f"{package.__name__}.{name}") for name in names))


def _declared_in(module: ModuleType) -> Iterator[ToolSpec]:
    for value in vars(module).values():
        found = getattr(value, _ATTRIBUTE, None)
        if isinstance(found, ToolSpec) and value.__module__ == module.__name__:
            yield found


def _destroys(effect: Effect, by: EffectByArgument | None) -> bool:
    return Effect.DESTROY in {effect, *(by.effects.values() if by else ())}


def _title(name: str) -> str:
    words = name.removesuffix("_tool").split("_")
    return " ".join([words[0].capitalize(), *words[1:]])


def _arguments(function: Callable[..., Any], needs_approval: bool) -> tuple[type[BaseModel], dict[str, type]]:
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {}
    injections: dict[str, type] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if isinstance(parameter.default, Injected):
            injections[name] = hints[name]
        else:
            required = parameter.default is inspect.Parameter.empty
            fields[name] = (hints[name], ... if required else parameter.default)
    if needs_approval:
        from kmcp_runtime.arguments import Approval

        fields["approval"] = (Approval, None)
    name = "".join(part.capitalize() for part in function.__name__.split("_")) + "Arguments"
    return create_model(name, __config__=ConfigDict(extra="forbid", arbitrary_types_allowed=True), **fields), injections


def _result(function: Callable[..., Any]) -> type[Result]:
    returned = get_type_hints(function)["return"]
    if not (isinstance(returned, type) and issubclass(returned, Result)):
        raise TypeError(f"{function.__qualname__} must return a Result, not {returned!r}")
    return returned


_OF_CHANGES = ("dry_run", "approval")


def _narrowed(model: type[BaseModel], by: EffectByArgument, values: list[str]) -> type[BaseModel]:
    """The arguments with one of them limited to its reading values, and without those that only changes have.

    A switch has one reading value, its default: there the argument itself goes.
    """
    fields: dict[str, Any] = {}
    taken = by.taken(values)
    for name, info in model.model_fields.items():
        if name == by.argument and info.annotation is bool:
            continue
        if name == by.argument:
            default: Any = info.default if info.default in values else ... if info.is_required() else values[0]
            described = Field(description=by.told(values) or info.description)
            fields[name] = (Annotated[Literal[tuple(values)], described], default)
        elif name not in _OF_CHANGES and (taken is None or name in taken or info.is_required()):
            fields[name] = (_annotated(info), ... if info.is_required() else info.default)
    return create_model(f"ReadOnly{model.__name__}", __config__=model.model_config, **fields)


def _annotated(info: FieldInfo) -> Any:
    """The field's annotation as it was written: pydantic takes its description, limits and validators apart."""
    extras = [*info.metadata, Field(description=info.description)]
    return Annotated[(info.annotation, *extras)]
