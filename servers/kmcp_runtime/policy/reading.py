"""A policy's files become rules, or faults with their places."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cedarpy

from kmcp_runtime.errors import did_you_mean
from kmcp_runtime.policy.demands import demands, namespaces_in
from kmcp_runtime.policy.rules import Names, Rule, RuleSet
from kmcp_runtime.policy.statements import Fault, Source, Statement, Token, rule_fault, syntax_fault
from kmcp_runtime.policy.tool_schema import Vocabulary

ENDING = ".cedar"
LARGEST_BYTES = 8 * 1024 * 1024
_VARIABLES = ("principal", "resource", "context")
_OPEN = ("arguments",)
"""What foreign servers' tools can have, which nobody knows before they are listed."""


class PolicyError(Exception):
    """A policy that cannot be used, with every fault that was found."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(map(str, faults[:5])) + (f"; and {len(faults) - 5} more" if len(faults) > 5 else ""))
        self.faults = faults


def read_files(paths: Sequence[Path]) -> list[Source]:
    """The files of a policy; of a directory those that end in `.cedar`, by name. Errors: `PolicyError`."""
    found, size = [], 0
    for path in paths:
        try:
            for each in files_of(path):
                with each.open("rb") as file:
                    content = file.read(LARGEST_BYTES - size + 1)  # of what never ends no more
                size += len(content)
                if size > LARGEST_BYTES:
                    raise PolicyError([Fault(str(each), 1, 1, f"the policy has more than {LARGEST_BYTES >> 20} MiB")])
                found.append(Source(str(each), content.decode("utf-8-sig")))
        except OSError as error:
            raise PolicyError([Fault(str(path), 1, 1, error.strerror or "it cannot be read")]) from None
        except UnicodeDecodeError:
            raise PolicyError([Fault(str(path), 1, 1, "it is not UTF-8 text")]) from None
    return found


def files_of(path: Path) -> list[Path]:
    """The file itself, or the `.cedar` files of the directory. Errors: OSError."""
    if not path.is_dir():
        return [path]
    # What begins with a dot is how a mounted ConfigMap keeps its versions.
    return sorted(each for each in path.iterdir() if each.suffix == ENDING and not each.name.startswith("."))


def read_rules(sources: Sequence[Source], vocabulary: Vocabulary | None = None) -> RuleSet:
    """The rules, checked against what there is when a vocabulary is given. Errors: `PolicyError`."""
    written = [statement for source in sources for statement in source.statements]
    if not written:
        name = sources[0].name if sources else f"no file that ends in {ENDING}"
        raise PolicyError([Fault(name, 1, 1, "the policy has no rule, so nobody could call anything")])
    text = "\n".join(statement.text for statement in written)
    if _complaint(text) is not None:
        found = [fault for fault in (syntax_fault(each, _complaint) for each in written) if fault]
        raise PolicyError(found or [written[0].fault(str(_complaint(text)))])
    read = json.loads(cedarpy.policies_to_json_str(text))
    if read["templates"]:
        raise PolicyError(
            [each.fault("a template: write the rule out", each.find("?")) for each in written if each.find("?")]
        )
    rules = [_rule(statement, read["staticPolicies"][f"policy{number}"]) for number, statement in enumerate(written)]
    faults = [*_repeated(rules), *(_mistaken(rules, vocabulary) if vocabulary else ())]
    if faults:
        raise PolicyError(faults)
    return RuleSet(rules)


def _complaint(text: str) -> str | None:
    try:
        cedarpy.PolicySet.from_str(text)
    except ValueError as error:
        return str(error)
    return None


def _rule(statement: Statement, read: Mapping[str, Any]) -> Rule:
    annotations = read.get("annotations") or {}
    name = annotations.get("id") or statement.own_name
    principals, actions, resources = (_demanded(read[each]) for each in ("principal", "action", "resource"))
    return Rule(
        statement,
        name,
        read["effect"] == "forbid",
        principals,
        actions,
        resources,
        demands(read["conditions"]),
        namespaces_in(read["conditions"]),
        annotations.get("contact"),
    )


def _demanded(scope: Mapping[str, Any]) -> Names | None:
    scope = scope.get("in") or scope  # of `is User in Group::"x"`
    entities = scope.get("entities") or ([scope["entity"]] if "entity" in scope else None)
    return None if entities is None else frozenset((each["type"], each["id"]) for each in entities)


def _repeated(rules: Sequence[Rule]) -> Iterator[Fault]:
    """The audit line names a rule by its id, so an id is one rule's."""
    first: dict[str, Rule] = {}
    for rule in rules:
        # A rule without an id has the name of its place, which a file of the same name elsewhere may have too.
        if rule.name != rule.statement.own_name and first.setdefault(rule.name, rule) is not rule:
            place = first[rule.name].statement
            text = f"the id {rule.name!r} is that of the rule at {place.source.name}:{place.line} too"
            yield rule.statement.fault(text, rule.statement.find(rule.name))


def _mistaken(rules: Sequence[Rule], vocabulary: Vocabulary) -> Iterator[Fault]:
    here = _actions(vocabulary)
    if vocabulary.foreign or vocabulary.others:
        # What is about the tools of servers elsewhere is never asked here, and their arguments are not known.
        rules = [rule for rule in rules if rule.can_mean(here)]
    text = "\n".join(rule.statement.text for rule in rules)
    known, seen = vocabulary.known(), set[tuple[str, int, int]]()
    errors = cedarpy.validate_policies(text, vocabulary.schema()).errors
    faults = [(error.policy_id, rule_fault(rules[int(error.policy_id[6:])].statement, error.error)) for error in errors]
    better = {policy for policy, fault in faults if not _follows(fault)}
    for policy, fault in faults:
        place = (fault.file, fault.line, fault.column)
        if place not in seen and not (_follows(fault) and policy in better):
            seen.add(place)
            yield _suggesting(fault, rules[int(policy[6:])].statement, known)
    for rule in rules:
        yield from _absent(rule.statement, vocabulary, (*_VARIABLES, *(() if _is_open(rule, vocabulary) else _OPEN)))


def unknown_arguments(rules: Sequence[Rule], vocabulary: Vocabulary) -> list[Fault]:
    """What would be faults if no foreign server could have the arguments that rules look at."""
    here = _actions(vocabulary)
    of_any = (rule for rule in rules if _is_open(rule, vocabulary) and rule.can_mean(here))
    return [fault for rule in of_any for fault in _absent(rule.statement, vocabulary, _OPEN)]


def _is_open(rule: Rule, vocabulary: Vocabulary) -> bool:
    """Whether a rule's head can mean tools of which nothing is known."""
    actions = _actions(vocabulary)
    servers = frozenset({("Server", name) for name in vocabulary.servers})
    return (
        vocabulary.is_open
        and (rule.actions is None or bool(rule.actions - actions))
        and (rule.resources is None or bool(rule.resources - servers))
    )


def _actions(vocabulary: Vocabulary) -> Names:
    """Of the tools and servers of which everything is known."""
    return frozenset({("Action", name) for name in (*vocabulary.tools, *vocabulary.servers)})


def _follows(fault: Fault) -> bool:
    """Cedar says this too of a rule whose head has another fault."""
    return "unable to find an applicable action" in fault.text


def _suggesting(fault: Fault, statement: Statement, known: frozenset[str]) -> Fault:
    at = next((each for each in statement.tokens if statement.fault(fault.text, each) == fault), statement.tokens[0])
    near = did_you_mean(at.word, known) if at.word in fault.text and at.word not in known else None
    return replace(fault, text=f"{fault.text}: {near}") if near else fault


def _absent(statement: Statement, vocabulary: Vocabulary, variables: Sequence[str]) -> Iterator[Fault]:
    """`has` of what nothing can have: for Cedar that is merely false."""
    tokens = statement.tokens
    for number, token in enumerate(tokens[1:-1], 1):
        if token.text != "has":
            continue
        before, asked = tokens[number - 1].text, tokens[number + 1]
        variable = before if before in variables else None
        if variable and asked.word not in vocabulary.attributes(variable):
            near = did_you_mean(asked.word, vocabulary.attributes(variable))
            yield statement.fault(f"{variable} never has {asked.word!r}{f': {near}' if near else ''}", asked)


def mentioned(sources: Sequence[Source], kind: str) -> frozenset[str]:
    """The names of entities of a kind (`Action`, `Server`) that a policy's rules write."""
    return frozenset(
        name.word for source in sources for each in source.statements for name in _named(each.tokens, kind)
    )


def _named(tokens: Sequence[Token], kind: str) -> Iterator[Token]:
    for before, between, name in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if before.text == kind and between.text == "::" and name.text[0] == '"':
            yield name
