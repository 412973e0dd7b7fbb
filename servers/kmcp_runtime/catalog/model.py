"""The models of `catalog.yaml`: what the suite's servers are and which tools they have.

Sizes and hashes are computed; a file that states others is refused.
"""

import json
import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    StrictBool,
    StrictInt,
    computed_field,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.dataclasses import dataclass

from .canonical import canonical, compact, digest

TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
API_VERSION = "kmcp-suite/v1"
TOKEN_LIMIT = 150  # what a model reads of a tool, on average over a server


class Effect(StrEnum):
    """What a call does: it changes nothing, changes something, or loses something."""

    READ = "read"
    WRITE = "write"
    DESTROY = "destroy"


_READING_VERBS = ("get", "list", "watch")
_RANK = {effect: rank for rank, effect in enumerate(Effect)}


def effect_of(annotations: Mapping[str, Any]) -> Effect:
    """The effect that MCP hints state, with the protocol's defaults: not read-only and destructive."""
    if annotations.get("readOnlyHint") is True:
        return Effect.READ
    return Effect.WRITE if annotations.get("destructiveHint") is False else Effect.DESTROY


def strongest(effects: Iterable[Effect]) -> Effect:
    return max(effects, key=_RANK.__getitem__)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Rule:
    """One rule of Kubernetes RBAC."""

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]

    def as_policy(self) -> dict[str, Any]:
        """The rule as a Role holds it (`rbac.authorization.k8s.io/v1`)."""
        return {"apiGroups": [self.group], "resources": [*self.resources], "verbs": [*self.verbs]}


def union(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """The fewest rules that allow the same: one per group and set of verbs."""
    verbs: dict[tuple[str, str], set[str]] = {}
    for rule in rules:
        for resource in rule.resources:
            verbs.setdefault((rule.group, resource), set()).update(rule.verbs)
    resources: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (group, resource), allowed in sorted(verbs.items()):
        resources.setdefault((group, tuple(sorted(allowed))), []).append(resource)
    return tuple(Rule(group, tuple(names), allowed) for (group, allowed), names in sorted(resources.items()))


def reading_only(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """What is left of rules where nothing may be changed."""
    kept = ((rule, tuple(verb for verb in rule.verbs if verb in _READING_VERBS)) for rule in rules)
    return tuple(Rule(rule.group, rule.resources, verbs) for rule, verbs in kept if verbs)


class Entry(BaseModel):
    """Base of the models: camelCase in the file, snake_case in Python, nothing unknown."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )

    @model_validator(mode="wrap")
    @classmethod
    def _check_computed(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Computed fields may be given, as the file does; they must then be right."""
        given: dict[str, Any] = {}
        if isinstance(data, dict):
            given = {key: data[key] for key in cls.model_computed_fields if key in data}
            data = {key: value for key, value in data.items() if key not in given}
        entry = handler(data)
        for key, value in given.items():
            actual = entry.model_dump(mode="json", include={key})[key]
            if canonical(actual) != canonical(value):
                raise ValueError(f"{key} is {canonical(actual)}, not {canonical(value)}; run `make catalog`")
        return entry


class ToolEntry(Entry):
    name: str
    title: str
    description: str
    effect: Effect | None = None
    actions: dict[str, Effect] | None = None  # effect by value of the argument that decides it
    aliases: tuple[str, ...] = ()
    input_schema: dict[str, Any]
    output_schema: dict[str, Any] | None = None
    annotations: dict[str, StrictBool | str]
    needs: tuple[Rule, ...] = ()
    verified: Literal["real", "agent", "cli", "stand-in"] = "real"
    against: str | None = None  # product and version of the backend that was met, where it is not the only one
    why: str | None = None
    since: str | None = None
    deprecated: str | None = None
    when: str | None = None  # the configuration under which the tool exists

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated properties
    @cached_property
    def tokens(self) -> int:
        """What a model reads of the tool, in bytes / 4."""
        return tokens_of(self.name, self.description, self.input_schema)

    @computed_field  # type: ignore[prop-decorator]
    @cached_property
    def hash(self) -> str:
        return tool_hash(self.model_dump(mode="json", exclude={"tokens", "hash"}))

    @property
    def strongest_effect(self) -> Effect:
        return strongest(self.actions.values()) if self.actions else self.effect or Effect.DESTROY

    @model_validator(mode="after")
    def _check(self) -> Self:
        faults = list(self._faults())
        if faults:
            raise ValueError(" / ".join(f"tool {self.name}: {fault}" for fault in faults))
        return self

    def _hints_promise_too_much(self) -> bool:
        """A write may ask clients for caution (destructiveHint); no hint may make an effect look smaller than it is."""
        hinted, actual = effect_of(self.annotations), self.strongest_effect
        return (hinted is Effect.READ) != (actual is Effect.READ) or _RANK[hinted] < _RANK[actual]

    def _faults(self) -> Iterable[str]:
        if not TOOL_NAME.fullmatch(self.name):
            yield "a name has 1 to 64 of A-Z, a-z, 0-9, _ and -; rename it"
        if (self.effect is None) == (not self.actions):
            yield "has both or neither of effect and actions; give one"
        elif self._hints_promise_too_much():
            yield (
                f"effect {self.strongest_effect} against hints that say {effect_of(self.annotations)}; "
                "make readOnlyHint and destructiveHint agree with it"
            )
        if self.verified in ("cli", "stand-in") and not self.why:
            yield f"verified {self.verified} without why; say why no real backend was met"


class EnvEntry(Entry):
    name: str = Field(pattern=r"^[A-Z_][A-Z0-9_]*$")
    description: str
    default: str | None = None
    required: StrictBool = False
    secret: StrictBool = False


class Metadata(Entry):
    category: str | None = None
    tags: tuple[str, ...] = ()
    license: str | None = None
    owner: str | None = None


class Transport(Entry):
    type: Literal["streamable-http"] = "streamable-http"
    port: StrictInt = Field(ge=1, le=65535)
    path: str = Field(default="/mcp", pattern=r"^/")
    stateless: StrictBool = True


class Origin(Entry):
    """Of a server that another distribution brings: its own facts, in place of the suite's."""

    distribution: str
    version: str
    license: str | None = None
    homepage: str | None = None
    image: str | None = None
    published: StrictBool = False  # the package index holds the distribution under its name


class ServerEntry(Entry):
    title: str
    description: str = Field(max_length=100)
    registry_name: str | None = None
    metadata: Metadata | None = None
    origin: Origin | None = None
    transport: Transport
    protocol_versions: tuple[str, ...] = ()
    env: tuple[EnvEntry, ...] = ()
    egress: tuple[str, ...] = ()  # host:port, or {NAME} of an env value
    token_limit: StrictInt = TOKEN_LIMIT
    tools: tuple[ToolEntry, ...]

    @computed_field  # type: ignore[prop-decorator]
    @cached_property
    def needs(self) -> tuple[Rule, ...]:
        return union(rule for tool in self.tools for rule in tool.needs)

    @computed_field  # type: ignore[prop-decorator]
    @cached_property
    def hash(self) -> str:
        return server_hash({tool.name: tool.hash for tool in self.tools})

    @model_validator(mode="after")
    def _check(self) -> Self:
        tokens = sum(tool.tokens for tool in self.tools)
        if tokens > self.token_limit * len(self.tools):
            raise ValueError(
                f"a tool takes {tokens / len(self.tools):.0f} tokens on average, the limit is {self.token_limit}; "
                "shorten descriptions and schemas, or raise tokenLimit"
            )
        return self


class Catalog(Entry):
    api_version: Literal["kmcp-suite/v1"] = "kmcp-suite/v1"
    kind: Literal["Catalog"] = "Catalog"
    name: str
    version: str
    servers: dict[str, ServerEntry]

    @model_validator(mode="after")
    def _check(self) -> Self:
        owners: dict[str, list[str]] = {}
        for name, server in self.servers.items():
            if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", name):
                raise ValueError(f"server {name} is not a DNS label of at most 63 characters; rename it")
            for tool in server.tools:
                owners.setdefault(tool.name, []).append(name)
        twice = [f"{tool} ({', '.join(names)})" for tool, names in owners.items() if len(names) > 1]
        if twice:
            raise ValueError(f"tool names used twice in the suite: {', '.join(twice)}; rename one of each")
        return self


def tokens_of(name: str, description: str, input_schema: Any) -> int:
    return sum(len(text.encode()) for text in (name, description, compact(input_schema))) // 4


_HASHED = ("name", "title", "description", "inputSchema", "outputSchema", "annotations")


def tool_hash(tool: Mapping[str, Any]) -> str:
    """The hash of a tool as MCP lists it: its contract and its texts, since a poisoned text is a change too."""
    return digest({key: tool.get(key) for key in _HASHED})


def server_hash(tools: Mapping[str, str]) -> str:
    """The hash over the tools' hashes, by name."""
    return digest(sorted(tools.items()))


def to_json(entry: BaseModel) -> dict[str, Any]:
    """The entry as the file holds it: camelCase, without what is unset or an empty list of aliases."""
    data: dict[str, Any] = json.loads(entry.model_dump_json(exclude_none=True))
    return data
