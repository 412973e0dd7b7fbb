"""What a policy is asked: who calls which tool, on what, with which effect. As Cedar's entities and context. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from kmcp_runtime.catalog import Effect
from kmcp_runtime.judging import PARTS, Resource

_ACCOUNT = "system:serviceaccount:"
_LONGEST_KEPT = 256
APPROVALS = ("none", "asked", "token", "off")
CLOCK = frozenset({"time", "hour", "weekday"})
"""What of the context changes by itself."""
OBJECT = ("Object", "object")
"""The entity that is acted on."""
OF_CALLS = frozenset({"dry_run", "approval"})
"""Arguments that the context has under its own name."""


@dataclass(frozen=True)
class Principal:
    """Who calls, as far as it is known."""

    subject: str
    groups: tuple[str, ...] = ()
    issuer: str = ""
    """The issuer of a JSON Web Token; empty for the cluster's own and those of a file."""
    agent: str = ""
    """What the client calls itself; nobody confirms it."""
    authenticated: bool = False
    effects: frozenset[Effect] = frozenset(Effect)
    """What the caller's scopes allow."""

    def entity(self) -> dict[str, Any]:
        attributes: dict[str, Any] = {
            "subject": self.subject,
            "groups": [*self.groups],
            "issuer": self.issuer,
            "agent": self.agent,
            "authenticated": self.authenticated,
            "effects": [_effect(effect) for effect in sorted(self.effects, key=lambda each: each.value)],
        }
        namespace, colon, name = self.subject.removeprefix(_ACCOUNT).partition(":")
        if self.subject.startswith(_ACCOUNT) and colon and not self.issuer and self.authenticated:
            attributes["account"] = {"namespace": namespace, "name": name}
        return {"uid": _uid("User", self.subject), "attrs": attributes, "parents": self.parents()}

    def parents(self) -> list[dict[str, str]]:
        return [_uid("Group", group) for group in self.groups]

    def names(self) -> frozenset[tuple[str, str]]:
        """Every entity that a rule may name and mean this caller."""
        return frozenset({("User", self.subject), *(("Group", group) for group in self.groups)})


@dataclass(frozen=True)
class Question:
    """One question to a policy."""

    principal: Principal
    server: str
    tool: str
    effect: Effect
    resource: Resource
    time: datetime
    """In UTC."""
    dry_run: bool = False
    approval: str = "none"
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """The values that a rule may look at; None is a value that is not known."""

    def elsewhere(self, **parts: str | None) -> "Question":
        return replace(self, resource=replace(self.resource, **parts))

    def key(self) -> tuple[Any, ...] | None:
        """All but the time, to compare questions by; None where an argument is a list, or large."""
        given = tuple(sorted(self.arguments.items()))
        if any(isinstance(value, list) or len(str(value)) > _LONGEST_KEPT for _, value in given):
            return None
        # Cedar tells true from 1, which Python's comparison does not.
        kinds = tuple(type(value) for _, value in given)
        return (
            self.principal,
            self.server,
            self.tool,
            self.effect,
            self.resource,
            self.dry_run,
            self.approval,
            given,
            kinds,
        )

    @property
    def leaves_open(self) -> bool:
        return bool(self.resource.open_parts()) or None in self.arguments.values()

    def request(self) -> dict[str, Any]:
        context = {
            "effect": _effect(self.effect),
            "dry_run": self.dry_run,
            "approval": _reference("Approval", self.approval),
            "time": {"__extn": {"fn": "datetime", "arg": self.time.strftime("%Y-%m-%dT%H:%M:%SZ")}},
            "hour": self.time.hour,
            "weekday": self.time.isoweekday(),
            "arguments": _reference("Arguments", "call"),
        }
        return {
            "principal": _uid("User", self.principal.subject),
            "action": _uid("Action", self.tool),
            "resource": _uid(*OBJECT),
            "context": json.dumps(context),
        }

    def surroundings(self) -> str:
        """The entities that questions of one call share: who, by which tool, with which arguments."""
        arguments = {name: _known(f"arguments.{name}", value) for name, value in self.arguments.items()}
        tool = {"uid": _uid("Action", self.tool), "attrs": {}, "parents": [_uid("Action", self.server)]}
        # An entity and not a record: one value of it that is not known leaves the rest of the context known.
        given = {"uid": _uid("Arguments", "call"), "attrs": arguments, "parents": []}
        return f"[{_written(self.principal)}, {json.dumps(tool)}, {json.dumps(given)}]"

    def object(self) -> str:
        """The entity that is acted on."""
        attributes = {part: _known(part, getattr(self.resource, part)) for part in PARTS}
        return json.dumps([{"uid": _uid(*OBJECT), "attrs": attributes, "parents": [_uid("Server", self.server)]}])


@lru_cache(maxsize=1024)
def _written(principal: Principal) -> str:
    return json.dumps(principal.entity())


def argument_values(arguments: Mapping[str, Any], words: frozenset[str]) -> dict[str, Any]:
    """The arguments that rules name and Cedar can hold: texts, whole numbers, switches, lists of texts."""
    return {
        name: value for name, value in arguments.items() if name in words and value is not None and _is_holdable(value)
    }


def _is_holdable(value: Any) -> bool:
    if isinstance(value, list):
        return all(isinstance(each, str) for each in value)
    return isinstance(value, str | int)


def _uid(kind: str, name: str) -> dict[str, str]:
    return {"type": kind, "id": name}


def _reference(kind: str, name: str) -> dict[str, Any]:
    return {"__entity": _uid(kind, name)}


def _effect(effect: Effect) -> dict[str, Any]:
    return _reference("Effect", effect.value)


def _known(name: str, value: Any) -> Any:
    # Cedar's own word of partial evaluation: whatever needs this value is left open.
    return {"__extn": {"fn": "unknown", "arg": name}} if value is None else value
