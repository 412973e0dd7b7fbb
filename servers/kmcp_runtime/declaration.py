"""Declaring a tool: one annotated function, everything else derived from it.

    @tool(Effect.WRITE, needs=(Rule("apps", ("deployments/scale",), ("patch",)),))
    async def k8s_scale(kube: Kube, name: Name, replicas: Annotated[int, "Pods to run"]) -> Change:
        "Set how many pods a workload runs."

The name is the function's, the description its docstring, the input schema its annotated signature, the output schema
the `Result` it returns. A parameter of a class that JSON cannot hold (`Kube`, `Call`) comes from the server by its type
and is not in the schema; a text in `Annotated` describes an argument.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import lru_cache
from types import ModuleType
from typing import Annotated, Any, Literal, TypedDict, TypeVar, Unpack, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.fields import FieldInfo

from kmcp_runtime.arguments import Approval, checked
from kmcp_runtime.catalog import Effect, Rule, reading_only, strongest
from kmcp_runtime.hints import Shows
from kmcp_runtime.output.results import Result
from kmcp_runtime.schema import described, input_schema, output_schema

Function = TypeVar("Function", bound=Callable[..., Awaitable[Result]])
Verified = Literal["real", "agent", "cli", "stand-in"]
__all__ = ["Effect", "EffectByArgument", "Rule", "ToolSpec", "tool", "tools_below", "tools_in"]
_ATTRIBUTE = "__kmcp_tool__"
_OF_JSON = (str, int, float, list, dict, tuple, set, frozenset, type(None), BaseModel, Enum)
"""What an argument may be; a bool is an int. Any other class is provided by the server."""
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


@dataclass(frozen=True, kw_only=True)
class ToolSpec:
    """A tool as declared: what the decorator was told and what the signature says."""

    function: Callable[..., Awaitable[Result]]
    name: str
    title: str
    description: str
    effect: Effect
    worst: Effect
    """The gravest thing that a call can turn out to do; the doors judge what it does (`kmcp_runtime.judging`)."""
    idempotent: bool
    arguments: type[BaseModel]
    result: type[Result]
    parameters: frozenset[str] = frozenset()
    """Arguments that the function itself takes; a server may add others (`context`, `approval`)."""
    injections: Mapping[str, type] = field(default_factory=dict)
    by: EffectByArgument | None = None
    needs: tuple[Rule, ...] = ()
    timeout: float = DEFAULT_TIMEOUT_SECONDS
    open_world: bool = True
    extra: bool = False
    aliases: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)
    restores: tuple[str, ...] = ()
    verified: Verified = "real"
    against: str | None = None
    why: str | None = None
    when: str | None = None
    shows: Shows | None = None
    view: str | None = None
    foreign: bool = False
    """True of a tool of another's server: all that is said of it are that one's words."""

    def effect_of(self, arguments: Mapping[str, Any]) -> Effect:
        if self.by is None:
            return self.effect
        return self.by.effects.get(self.by.key(arguments.get(self.by.argument)), self.effect)

    def checked(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of a call: a checked value for each field. Errors: `bad_argument`."""
        values = checked(self.arguments, given, self.ignored, self.renamed)
        return {name: getattr(values, name) for name in self.arguments.model_fields}

    def can_destroy(self) -> bool:
        return self.worst is Effect.DESTROY

    def read_only(self) -> "ToolSpec | None":
        """The tool as a read-only server has it: nothing, itself, or only its reading values."""
        if self.by is None:
            return self if self.effect is Effect.READ else None
        reading = self.by.reading()
        if not reading:
            return None
        arguments = _narrowed(self.arguments, _Made(repr(reading), (self.by, reading)))
        needs = reading_only(self.needs) if self.by.needs is None else self.by.needs
        return replace(
            self, effect=Effect.READ, worst=Effect.READ, by=None, idempotent=True, arguments=arguments, needs=needs
        )

    def with_arguments(self, extra: Mapping[str, Any]) -> "ToolSpec":
        """The tool with arguments that its server adds: name to (annotation, default). Its own ones stay its own."""
        fields: dict[str, Any] = {
            name: (described(annotation), default)
            for name, (annotation, default) in extra.items()
            if name not in self.parameters
        }
        if not fields:
            return self
        return replace(self, arguments=_extended(self.arguments, _Made(repr(fields), fields)))

    def input_schema(self) -> dict[str, Any]:
        return input_schema(self.arguments)

    def output_schema(self) -> dict[str, Any]:
        return output_schema(self.result)


class Options(TypedDict, total=False):
    """What a tool may declare beside its effect."""

    title: str
    """By default the name in words."""
    needs: tuple[Rule, ...]
    """The rights in the cluster that it uses."""
    by: EffectByArgument
    """How the effect depends on an argument."""
    timeout: float
    """Seconds that a call may take; by default those of the settings."""
    idempotent: bool
    """True when a repeated write changes nothing more."""
    worst: Effect
    """The gravest thing that a call can turn out to do, when the doors may judge it to be more than the effect."""
    open_world: bool
    """False when it reaches nothing outside of the process."""
    extra: bool
    """True for a tool beyond the registry, which KMCP_EXTRAS switches off."""
    aliases: tuple[str, ...]
    """Names that the tool has elsewhere."""
    ignored: tuple[str, ...]
    """Arguments of older callers that are accepted and dropped."""
    renamed: Mapping[str, str]
    """Other names of arguments; those of arguments that this tool lacks are passed over, so tools may share a table."""
    restores: tuple[str, ...]
    """Arguments in which the tool puts live values back for marks of hidden ones (`redaction.restore`) or refuses."""
    verified: Verified
    """What the tests met, when it was not a real backend; `why` says why."""
    against: str
    """The product and version that the tests met, where versions answer differently."""
    why: str | None
    when: str
    """The configuration that the tool exists under, if the server's `left_out` leaves it out under others."""
    shows: Shows
    """What hints of the runtime may name the tool for."""
    view: str
    """A picture of the answer, for clients that show one: the script `views/<view>.js` in the server's package."""


def tool(effect: Effect, **options: Unpack[Options]) -> Callable[[Function], Function]:
    """Declare a function as a tool; its name, docstring and signature say the rest."""

    def declare(function: Function) -> Function:
        by = options.get("by")
        worst = strongest({effect, options.get("worst", effect), *(by.effects.values() if by else ())})
        arguments, injections = _arguments(function, needs_approval=worst is Effect.DESTROY)
        derived: dict[str, Any] = {
            "title": _title(function.__name__),
            **options,
            "worst": worst,
            "idempotent": options.get("idempotent", False) or effect is Effect.READ,
        }
        declared = ToolSpec(
            function=function,
            name=function.__name__,
            description=" ".join((inspect.getdoc(function) or "").split()),
            effect=effect,
            arguments=arguments,
            result=_result(function),
            injections=injections,
            parameters=frozenset(arguments.model_fields) - {"approval"},
            **derived,
        )
        setattr(function, _ATTRIBUTE, declared)
        return function

    return declare


def tools_in(*modules: ModuleType) -> tuple[ToolSpec, ...]:
    """Every tool that is defined in these modules, in the order of the source."""
    return tuple(found for module in modules for found in _declared_in(module))


def tools_below(package: ModuleType) -> tuple[ToolSpec, ...]:
    """Every tool of a package of tool modules, file by file; what a server of several subjects has."""
    # Sorted here, as the catalog follows this order and a package may be a folder or a zip.
    names = sorted(found.name for found in pkgutil.iter_modules(package.__path__))
    return tools_in(*(importlib.import_module(f"{package.__name__}.{name}") for name in names))


def _declared_in(module: ModuleType) -> Iterator[ToolSpec]:
    for value in vars(module).values():
        found = getattr(value, _ATTRIBUTE, None)
        # A module may import another's tool to call it; only its own are declared by it.
        if isinstance(found, ToolSpec) and value.__module__ == module.__name__:
            yield found


def _title(name: str) -> str:
    words = name.removesuffix("_tool").split("_")
    return " ".join([words[0].capitalize(), *words[1:]])


def _arguments(function: Callable[..., Any], needs_approval: bool) -> tuple[type[BaseModel], dict[str, type]]:
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {}
    injections: dict[str, type] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        required = parameter.default is inspect.Parameter.empty
        if required and _is_provided(hints[name]):
            injections[name] = hints[name]
        else:
            fields[name] = (described(hints[name]), ... if required else parameter.default)
    if needs_approval:
        fields["approval"] = (described(Approval), None)
    name = "".join(part.capitalize() for part in function.__name__.split("_")) + "Arguments"
    return create_model(
        name, __config__=ConfigDict(extra="forbid", arbitrary_types_allowed=True, defer_build=True), **fields
    ), injections


def _is_provided(annotation: Any) -> bool:
    """Whether JSON cannot hold a value of this type, so that it can only come from the server."""
    return isinstance(annotation, type) and get_origin(annotation) is None and not issubclass(annotation, _OF_JSON)


def _result(function: Callable[..., Any]) -> type[Result]:
    returned = get_type_hints(function)["return"]
    if not (isinstance(returned, type) and issubclass(returned, Result)):
        raise TypeError(f"{function.__qualname__} must return a Result, not {returned!r}")
    return returned


_OF_CHANGES = ("dry_run", "approval")


@dataclass(frozen=True)
class _Made:
    """What a model is changed by; two with one text change it alike."""

    text: str
    what: Any = field(compare=False)


# Pydantic takes milliseconds for a model, and a list of tools is made for each caller whose scopes narrow it.
@lru_cache(maxsize=1_024)
def _extended(model: type[BaseModel], extra: _Made) -> type[BaseModel]:
    return create_model(model.__name__, __base__=model, **extra.what)


@lru_cache(maxsize=1_024)
def _narrowed(model: type[BaseModel], reading: _Made) -> type[BaseModel]:
    """The arguments with one of them limited to its reading values, and without those that only changes have.

    A switch has one reading value, its default: there the argument itself goes.
    """
    by, values = reading.what
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
