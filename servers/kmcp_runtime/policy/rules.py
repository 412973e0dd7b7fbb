"""The rules of a policy, asked. Of many rules only those are evaluated whose heads can mean the caller and the tool."""

import json
import re
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import cedarpy

from kmcp_runtime.policy.questions import Question
from kmcp_runtime.policy.reordering import reordered
from kmcp_runtime.policy.statements import Statement

Answer = Literal["allow", "forbidden", "unpermitted", "open", "failed"]
"""`open`: it depends on what the question leaves open; `unpermitted`: no rule permits it."""
MOST_NAMED = 10
"""Deciding rules that are told by name: hundreds would fit neither a line of the audit nor an answer."""
_KEPT_SLICES = 512
_LONGEST_KEPT = 16 * 1024
_OF_RULE = re.compile(r"while evaluating policy `policy(\d+)`: (.*)", re.DOTALL)
_OPEN = "the expression contains unknown(s)"
Names = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Rule:
    """One rule, and the entities that its head demands; None where it demands none."""

    statement: Statement
    name: str
    forbids: bool
    principals: Names | None
    actions: Names | None
    contact: str | None = None
    """Whom its annotation `@contact` names."""

    def can_mean(self, names: Names) -> bool:
        """Whether the head can mean an action of these names."""
        return self.actions is None or bool(self.actions & names)

    @cached_property
    def words(self) -> frozenset[str]:
        return frozenset(token.word for token in self.statement.tokens)

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """What stands in quotes."""
        return tuple(token.word for token in self.statement.tokens if token.text[0] == '"')


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
    """Some rules, ready to be evaluated."""

    rules: tuple[Rule, ...]
    policies: Any
    words: frozenset[str]
    text: str

    @cached_property
    def known_first(self) -> Any:
        """The same, for questions that leave something open."""
        return cedarpy.PolicySet.from_json_str(
            json.dumps(reordered(json.loads(cedarpy.policies_to_json_str(self.text))))
        )


@dataclass
class RuleSet:
    """All rules of a policy."""

    rules: Sequence[Rule]
    _slices: OrderedDict[tuple[int, ...], _Slice] = field(default_factory=OrderedDict)
    _parsed: OrderedDict[str, Any] = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        self._by_name: dict[tuple[str, str], list[int]] = {}
        self._for_all = [number for number, rule in enumerate(self.rules) if rule.principals is None]
        for number, rule in enumerate(self.rules):
            for name in rule.principals or ():
                self._by_name.setdefault(name, []).append(number)

    def words(self, callers: Names, server: str, tool: str) -> frozenset[str]:
        """Every word of the rules that can mean these callers and this tool."""
        return self._slice(callers, server, tool).words

    def texts(self, question: Question) -> list[str]:
        """What stands in quotes in the rules that can mean this question."""
        rules = self._slice(question.principal.names(), question.server, question.tool).rules
        return list(dict.fromkeys(text for rule in rules for text in rule.texts))

    def ask(self, question: Question) -> Decision:
        """Never raises: what cannot be evaluated is a denial, which says so."""
        found = self._slice(question.principal.names(), question.server, question.tool)
        if not found.rules:
            return Decision("unpermitted")
        try:
            request = question.request()
            entities = self._surroundings(question.surroundings()).with_added_json_str(question.object())
            policies = found.known_first if question.leaves_open else found.policies
            return _answered(found.rules, policies, request, entities)
        except (ValueError, TypeError, RecursionError) as error:
            return Decision("failed", (), f"the question cannot be put: {type(error).__name__}")

    def _surroundings(self, written: str) -> Any:
        """Parsed once for the questions of a call, and the calls of a caller."""
        found = self._parsed.get(written)
        if found is None:
            found = cedarpy.Entities.from_json_str(written)
            if len(written) <= _LONGEST_KEPT:
                self._parsed[written] = found
                while len(self._parsed) > _KEPT_SLICES:
                    self._parsed.popitem(last=False)
        return found

    def _slice(self, callers: Names, server: str, tool: str) -> _Slice:
        named = {number for name in callers for number in self._by_name.get(name, ())}
        action = frozenset({("Action", tool), ("Action", server)})
        numbers = tuple(number for number in sorted({*self._for_all, *named}) if self.rules[number].can_mean(action))
        found = self._slices.get(numbers)
        if found is None:
            found = self._slices[numbers] = _sliced(tuple(self.rules[number] for number in numbers))
            while len(self._slices) > _KEPT_SLICES:
                self._slices.popitem(last=False)
        else:
            self._slices.move_to_end(numbers)
        return found


def _sliced(rules: tuple[Rule, ...]) -> _Slice:
    text = "\n".join(rule.statement.text for rule in rules)
    return _Slice(
        rules, cedarpy.PolicySet.from_str(text), frozenset[str]().union(*(rule.words for rule in rules)), text
    )


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
