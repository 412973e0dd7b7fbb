"""The rules of a policy, asked. Of many rules only those are evaluated that can mean the caller, tool and place."""

import json
import re
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeVar

import cedarpy

from kmcp_runtime.policy.demands import Demands
from kmcp_runtime.policy.questions import CLOCK, OBJECT, Question
from kmcp_runtime.policy.reordering import reordered
from kmcp_runtime.policy.statements import Statement

Answer = Literal["allow", "forbidden", "unpermitted", "open", "failed"]
"""`open`: it depends on what the question leaves open; `unpermitted`: no rule permits it."""
MOST_NAMED = 10
"""Deciding rules that are told by name: hundreds would fit neither a line of the audit nor an answer."""
_KEPT_SLICES = 512
_LONGEST_KEPT = 16 * 1024
_OF_RULE = re.compile(r"while evaluating policy `policy(\d+)`: (.*)", re.DOTALL)
_ELSEWHERE = object()
"""In place of every namespace that no rule demands; the empty one is that of what has none, and rules do demand it."""
_OPEN = "the expression contains unknown(s)"
Names = frozenset[tuple[str, str]]
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Rule:
    """One rule, the entities that its head demands, None where it demands none, and what its conditions begin with."""

    statement: Statement
    name: str
    forbids: bool
    principals: Names | None
    actions: Names | None
    resources: Names | None
    demands: Demands
    namespaces: tuple[str, ...] = ()
    """Texts that its conditions compare the namespace with."""
    contact: str | None = None
    """Whom its annotation `@contact` names."""

    def can_mean(self, actions: Names, resources: Names | None = None) -> bool:
        """Whether the head can mean an action of these names, and a resource of those."""
        return (self.actions is None or bool(self.actions & actions)) and (
            self.resources is None or resources is None or bool(self.resources & resources)
        )

    @cached_property
    def words(self) -> frozenset[str]:
        return frozenset(token.word for token in self.statement.tokens)


@dataclass(frozen=True)
class Decision:
    """What the rules answer, and which of them decide."""

    answer: Answer
    rules: tuple[Rule, ...] = ()
    detail: str = ""

    @property
    def allows(self) -> bool:
        return self.answer == "allow"

    @property
    def may_allow(self) -> bool:
        """Whether it is allowed, or would be with other values of what is open."""
        return self.answer in ("allow", "open")

    @property
    def names(self) -> str:
        return self.told()

    def told(self, form: Callable[[str], str] = str) -> str:
        """The first names of the rules, each in this form, and how many more there are."""
        shown = ", ".join(form(rule.name) for rule in self.rules[:MOST_NAMED])
        more = len(self.rules) - MOST_NAMED
        return f"{shown} and {more} more" if more > 0 else shown


@dataclass
class _Slice:
    """Some rules, made ready for what is wanted of them."""

    rules: tuple[Rule, ...]

    @cached_property
    def words(self) -> frozenset[str]:
        return frozenset[str]().union(*(rule.words for rule in self.rules))

    @cached_property
    def text(self) -> str:
        return "\n".join(rule.statement.text for rule in self.rules)

    @cached_property
    def policies(self) -> Any:
        return cedarpy.PolicySet.from_str(self.text)

    @cached_property
    def known_first(self) -> Any:
        """The same, for questions that leave something open."""
        return cedarpy.PolicySet.from_json_str(
            json.dumps(reordered(json.loads(cedarpy.policies_to_json_str(self.text))))
        )


@dataclass
class _Heads:
    """The rules whose heads can mean some callers and a tool, by the namespaces that their conditions demand."""

    numbers: tuple[int, ...]
    whole: _Slice
    anywhere: tuple[int, ...]
    within: dict[str, list[int]]


@dataclass
class RuleSet:
    """All rules of a policy."""

    rules: Sequence[Rule]
    _heads: OrderedDict[tuple[Names, str, str], _Heads] = field(default_factory=OrderedDict)
    _chosen: OrderedDict[tuple[Any, ...], _Slice] = field(default_factory=OrderedDict)
    _slices: OrderedDict[tuple[int, ...], _Slice] = field(default_factory=OrderedDict)
    _decisions: OrderedDict[tuple[Any, ...], Decision] = field(default_factory=OrderedDict)
    """Answers to questions that are asked again, where no rule looks at the clock."""
    _parsed: OrderedDict[str, Any] = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        self._by_name: dict[tuple[str, str], list[int]] = {}
        self._for_all = [number for number, rule in enumerate(self.rules) if rule.principals is None]
        for number, rule in enumerate(self.rules):
            for name in rule.principals or ():
                self._by_name.setdefault(name, []).append(number)

    def words(self, callers: Names, server: str, tool: str) -> frozenset[str]:
        """Every word of the rules that can mean these callers and this tool."""
        return self._of_heads(callers, server, tool).whole.words

    def namespaces(self, question: Question) -> list[str]:
        """Texts that the rules that can mean this question compare the namespace with."""
        found = self._of_heads(question.principal.names(), question.server, question.tool)
        return list(dict.fromkeys(text for rule in found.whole.rules for text in rule.namespaces))

    def ask(self, question: Question) -> Decision:
        """Never raises: what cannot be evaluated is a denial, which says so."""
        found = self._slice(question)
        if not found.rules:
            return Decision("unpermitted")
        if found.words & CLOCK or (key := question.key()) is None:
            return self._asked(found, question)
        if (decision := _kept(self._decisions, key)) is None:
            decision = _keep(self._decisions, key, self._asked(found, question))
        return decision

    def _asked(self, found: _Slice, question: Question) -> Decision:
        try:
            request = question.request()
            entities = self._surroundings(question.surroundings()).with_added_json_str(question.object())
            policies = found.known_first if question.leaves_open else found.policies
            return _answered(found.rules, policies, request, entities)
        except (ValueError, TypeError, RecursionError) as error:
            return Decision("failed", (), f"the question cannot be put: {type(error).__name__}")

    def _surroundings(self, written: str) -> Any:
        """Parsed once for the questions of a call, and the calls of a caller."""
        if (found := _kept(self._parsed, written)) is None:
            found = cedarpy.Entities.from_json_str(written)
            if len(written) <= _LONGEST_KEPT:
                _keep(self._parsed, written, found)
        return found

    def _slice(self, question: Question) -> _Slice:
        names = self._known(question.principal.names())
        effect, namespace = question.effect.value, question.resource.namespace
        heads = self._of_heads(names, question.server, question.tool)
        # Namespaces that no rule demands are one, so that a caller cannot fill the memory with names.
        place = namespace if namespace is None or namespace in heads.within else _ELSEWHERE
        key = names, question.server, question.tool, effect, place
        if (found := _kept(self._chosen, key)) is None:
            within = (*heads.anywhere, *heads.within.get(namespace, ())) if namespace is not None else heads.numbers
            can_hold = (n for n in sorted(within) if self.rules[n].demands.can_hold(effect, namespace))
            found = _keep(self._chosen, key, self._of_numbers(tuple(can_hold)))
        return found

    def _known(self, callers: Names) -> Names:
        """Those that rules name: callers whom none names apart are one."""
        return frozenset(name for name in callers if name in self._by_name)

    def _of_heads(self, callers: Names, server: str, tool: str) -> _Heads:
        key = self._known(callers), server, tool
        if (found := _kept(self._heads, key)) is None:
            found = _keep(self._heads, key, self._new_heads(*key))
        return found

    def _new_heads(self, callers: Names, server: str, tool: str) -> _Heads:
        numbers = {*self._for_all, *(number for name in callers for number in self._by_name[name])}
        actions = frozenset({("Action", tool), ("Action", server)})
        resources = frozenset({("Server", server), OBJECT})
        found = tuple(n for n in sorted(numbers) if self.rules[n].can_mean(actions, resources))
        within: dict[str, list[int]] = {}
        for number in found:
            for namespace in self.rules[number].demands.namespaces or ():
                within.setdefault(namespace, []).append(number)
        anywhere = tuple(n for n in found if self.rules[n].demands.namespaces is None)
        return _Heads(found, self._of_numbers(found), anywhere, within)

    def _of_numbers(self, numbers: tuple[int, ...]) -> _Slice:
        """Shared by all that have the same rules."""
        if (found := _kept(self._slices, numbers)) is None:
            found = _keep(self._slices, numbers, _Slice(tuple(self.rules[number] for number in numbers)))
        return found


def _kept(where: OrderedDict[_Key, _Value], key: _Key) -> _Value | None:
    if (found := where.get(key)) is not None:
        where.move_to_end(key)
    return found


def _keep(where: OrderedDict[_Key, _Value], key: _Key, value: _Value) -> _Value:
    where[key] = value
    while len(where) > _KEPT_SLICES:
        where.popitem(last=False)
    return value


def _answered(rules: Sequence[Rule], policies: Any, request: dict[str, Any], entities: Any) -> Decision:
    answered = cedarpy.is_authorized(request, policies, entities)
    told = answered.diagnostics
    unfinished, failed, detail = list[Rule](), list[Rule](), ""
    for error in told.errors:
        found = _OF_RULE.search(error)
        if found is None:
            return Decision("failed", (), "the question cannot be put")
        rule = rules[int(found[1])]
        if found[2].startswith(_OPEN):
            unfinished.append(rule)
        else:
            failed.append(rule)
            detail = found[2]
    if failed:
        # Cedar passes over a rule that fails. A forbid that was passed over would allow what it forbids.
        return Decision("failed", _in_order(failed), detail)
    return _settled(rules, answered.decision.value, told.reasons, unfinished)


def _settled(rules: Sequence[Rule], decision: str, reasons: Collection[str], unfinished: Sequence[Rule]) -> Decision:
    deciding = _in_order([rules[int(reason.removeprefix("policy"))] for reason in reasons])
    if decision == "Deny" and deciding:
        return Decision("forbidden", deciding)
    if decision == "Allow" and not any(rule.forbids for rule in unfinished):
        return Decision("allow", deciding)
    # An open forbid alone allows nothing.
    if decision == "Allow" or any(not rule.forbids for rule in unfinished):
        return Decision("open", _in_order(unfinished))
    return Decision("unpermitted")


def _in_order(rules: Collection[Rule]) -> tuple[Rule, ...]:
    return tuple(sorted(rules, key=lambda rule: (rule.statement.source.name, rule.statement.tokens[0].start)))
