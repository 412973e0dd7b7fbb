"""One call under a policy: what it is about is put to the rules before it runs, and again at the doors."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from kmcp_runtime.catalog import Effect
from kmcp_runtime.declaration import ToolSpec
from kmcp_runtime.errors import ToolFailure, denied, quoted
from kmcp_runtime.judging import NAMESPACES, Resource
from kmcp_runtime.policy.questions import OF_CALLS, Principal, Question, argument_values
from kmcp_runtime.policy.rules import Decision, RuleSet

_NAMES = ("resource_name", "pod_name", "rollout_name", "service_name", "name")
"""Arguments that name an object, the most telling first."""
_MOST_TRIED, _MOST_SHOWN = 40, 5
_NOWHERE = "-"
"""No namespace has this name."""
DEFAULT = "default"
"""Named as the rule where none permits."""
Note = Callable[[str, str], None]
"""Takes `allow` and the names of the rules that did. A denial is in the failure, since a tool may go on without."""


@dataclass(frozen=True)
class CallOfTool:
    """What is known of a call before it runs."""

    server: str
    tool: str
    principal: Principal
    resource: Resource
    arguments: Mapping[str, Any]
    dry_run: bool = False
    approvals: tuple[str, ...] = ("asked", "token")
    """How a destroying call may come to its yes."""
    at_doors: bool = False
    """True when each of its requests passes a door that knows the object."""
    time: datetime = field(default_factory=lambda: datetime.now(UTC))

    def question(self, effect: Effect, resource: Resource, approval: str) -> Question:
        return Question(
            self.principal,
            self.server,
            self.tool,
            effect,
            resource,
            self.time,
            self.dry_run,
            approval if effect is Effect.DESTROY else "none",
            self.arguments,
        )


def resource_of(tool: ToolSpec, arguments: Mapping[str, Any], at_doors: bool) -> Resource:
    """What the arguments say of the object; open where a door or a default says it."""
    fields = tool.arguments.model_fields
    has_place = "namespace" in fields
    if not has_place and "context" not in fields:
        return Resource()
    cluster = arguments.get("context") or None
    if not has_place:
        return Resource(cluster=cluster)
    namespace = None if arguments.get("all_namespaces") else arguments.get("namespace") or None
    if at_doors:
        return Resource(cluster, namespace, None, None, None, None)
    return Resource(cluster, namespace, name=name_in(arguments))


def name_in(arguments: Mapping[str, Any]) -> str | None:
    """The name of an object that the arguments give; None where they give none."""
    return next((arguments[each] for each in _NAMES if isinstance(arguments.get(each), str)), None)


@dataclass
class Guard:
    """The policy for one call."""

    rules: RuleSet
    call: CallOfTool
    contact: str
    """Whom a caller asks for more."""
    note: Note = lambda decision, rules: None
    refused: ToolFailure | None = None
    """The first refusal of a change; a tool that went on after it must not be believed."""
    unseen: ToolFailure | None = None
    """The first refusal to read an object by its name; a tool that changes several may have gone on to the next."""
    _decided: dict[tuple[Effect, Resource], Decision] = field(default_factory=dict)

    def settle(self, effect: Effect) -> None:
        """The call itself, before a request is known. Errors: `denied`, with the rule and whom to ask."""
        decision = self.decide(effect, self.call.resource)
        if not (decision.allows or self.leaves_to_doors(decision)):
            raise self._refusal(decision, effect, self.call.resource)

    def leaves_to_doors(self, decision: Decision) -> bool:
        """Whether what the call leaves open is decided by each of its requests."""
        return decision.answer == "open" and self.call.at_doors

    def reach(self, resource: Resource, effects: Collection[Effect]) -> None:
        """A request that is about to be sent, and whose effect is one of these. Errors: as `settle`."""
        resource = replace(resource, cluster=self.call.resource.cluster) if resource.cluster is None else resource
        decisions = {effect: self.decide(effect, resource) for effect in effects}
        if not any(decision.allows for decision in decisions.values()):
            effect, decision = next(iter(decisions.items()))
            raise self._refusal(decision, effect, resource)

    def approved(self, how: str | None) -> None:
        """A person, a token or the configuration said yes: from now on the rules see which."""
        self.call = replace(self.call, approvals=(how or "off",))
        self._decided.clear()

    def decide(self, effect: Effect, resource: Resource) -> Decision:
        """The policy's answer; asked once for each effect and resource."""
        key = effect, resource
        if key not in self._decided:
            ways = self.call.approvals if effect is Effect.DESTROY else ("none",)
            asked = [self.rules.ask(self.call.question(effect, resource, way)) for way in ways]
            # By the best of the ways to a yes that are still open.
            found = next((each for each in asked if each.allows), None) or next(
                (each for each in asked if each.may_allow), asked[0]
            )
            self._decided[key] = found
            if found.allows:
                self.note("allow", found.names)
        return self._decided[key]

    def _refusal(self, decision: Decision, effect: Effect, resource: Resource) -> ToolFailure:
        failure = self.say(decision, effect, resource)
        if effect is not Effect.READ:
            self.refused = self.refused or failure
        elif resource.name:
            self.unseen = self.unseen or failure
        return failure

    def say(self, decision: Decision, effect: Effect, resource: Resource) -> ToolFailure:
        """The failure, with the namespaces that would be allowed where the call names none."""
        failure = refusal(decision, self.call, effect, resource, self.contact)
        if decision.answer in ("open", "unpermitted") and (found := self._namespaces(effect, resource)):
            one = " or ".join(map(quoted, found))
            # A list of namespaces is of none of them, so there only a name narrows it.
            way = f"of {one} by name" if (resource.group, resource.kind) == NAMESPACES else f"with namespace={one}"
            failure.hint = f"the policy allows it {way}; or {failure.hint}"
        return failure

    def _namespaces(self, effect: Effect, resource: Resource) -> list[str]:
        """Namespaces that the rules name and allow for this call, when it left its own open."""
        if resource.namespace is not None:
            return []
        way = self.call.approvals[0]
        question = self.call.question(effect, resource, way)
        tried = [text for text in self.rules.namespaces(question) if text][:_MOST_TRIED]
        if not tried or self.rules.ask(question.elsewhere(namespace=_NOWHERE)).may_allow:
            return []  # Where one that no rule names is allowed, those that are named say nothing.
        found = [text for text in tried if self.rules.ask(question.elsewhere(namespace=text)).may_allow]
        return found[:_MOST_SHOWN]


def refusal(decision: Decision, call: CallOfTool, effect: Effect, resource: Resource, contact: str) -> ToolFailure:
    """The failure of a call that the policy does not allow: the same whether or not the object exists."""
    what = (
        f"{effect.value} of {resource.words} with {call.tool}" if resource.words else f"{effect.value} with {call.tool}"
    )
    rules = decision.told(quoted)
    why = {
        "forbidden": f"rule {rules} forbids it",
        "unpermitted": "no rule permits it",
        "failed": f"rule {rules} could not be evaluated ({decision.detail[:120]})" if rules else decision.detail,
        "open": f"rule {rules} decides by what this call leaves open{_open(decision, resource)}",
    }[decision.answer]
    whom = next((rule.contact for rule in decision.rules if rule.contact), None) or contact
    failure = denied(
        f"the policy does not allow {what}: {why}", f"ask {whom or 'who keeps the policy of this server'} for a rule"
    )
    failure.details["rule"] = decision.names or DEFAULT
    return failure


def _open(decision: Decision, resource: Resource) -> str:
    named = [part for part in resource.open_parts() if any(part in rule.words for rule in decision.rules)]
    return f" ({', '.join(named)})" if named else ""


def possible_effects(rules: RuleSet, call: CallOfTool, effects: Collection[Effect]) -> frozenset[Effect]:
    """The effects that some call of the tool may have, whatever its arguments: for the list of tools."""
    return frozenset(effect for effect in effects if _may(rules, call, effect))


def _may(rules: RuleSet, call: CallOfTool, effect: Effect) -> bool:
    for arguments in (call.arguments, {}) if call.arguments else ({},):
        for dry_run in (False, True) if call.dry_run else (False,):
            for way in call.approvals if effect is Effect.DESTROY else ("none",):
                asked = replace(call, arguments=arguments, dry_run=dry_run).question(effect, call.resource, way)
                if rules.ask(asked).may_allow:
                    return True
    return False


def open_arguments(tool: ToolSpec, words: frozenset[str]) -> dict[str, None]:
    """The arguments that rules look at, all of them open."""
    return dict.fromkeys(name for name in tool.arguments.model_fields if name in words and name not in OF_CALLS)


def known_arguments(arguments: Mapping[str, Any], words: frozenset[str]) -> dict[str, Any]:
    given = {name: value for name, value in arguments.items() if name not in OF_CALLS}
    return argument_values(given, words)
