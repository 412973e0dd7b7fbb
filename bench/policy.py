"""`python -m bench.policy`: the CPU time of one decision of a policy, as calls meet it."""

import json
import sys
from itertools import count

from bench.goal import Goal, cpu_milliseconds
from kmcp_runtime import Effect
from kmcp_runtime.policy.questions import Question
from kmcp_runtime.policy.reading import read_files, read_rules
from kmcp_runtime.policy.rules import RuleSet
from kmcp_runtime.policy.statements import Source
from tests.policy.deciding import EXAMPLES, caller, guard_of, of, vocabulary

GOAL_MS = 0.3
RUNS, TIMES = 5, 500
FIRM = 200
WHO = caller("sam", "team-shop", "oncall", "platform")


def main() -> int:
    examples = read_rules(read_files([EXAMPLES]), vocabulary())
    of_a_firm = read_rules([Source("firm.cedar", realistic())], vocabulary())
    asked = _question(examples).surroundings
    rows = {
        f"a decision by a policy of {FIRM} rules": _decision(of_a_firm),
        "the same, where kind and namespace are open": _decision(of_a_firm, is_open=True),
        "the same, asked before": _again(of_a_firm),
        "a decision by all shipped examples": _decision(examples),
        "the same, where it is open": _decision(examples, is_open=True),
        "the same beside 10,000 rules of other groups": _decision(_with(examples, _many('principal in Group::"g{}"'))),
        "the same beside 10,000 rules for everybody": _decision(_with(examples, _many("principal"))),
        "json.loads of what is asked": cpu_milliseconds(lambda: json.loads(asked()), RUNS, TIMES),
    }
    for name, milliseconds in rows.items():
        print(f"{name:60} {milliseconds:8.3f} ms of CPU")
    goal = Goal(f"CPU milliseconds a decision, {FIRM} rules", next(iter(rows.values())), GOAL_MS)
    print(goal.line())
    return int(not goal.met)


def realistic() -> str:
    """The policy of a firm with many teams: rules of groups, of pipelines, for everybody, and of single tools."""
    rules = [
        'permit (principal, action, resource) when { context.effect == Effect::"read" };',
        'permit (principal in Group::"platform", action, resource) when { context.effect == Effect::"write" };',
        'forbid (principal, action, resource) when { context.effect == Effect::"destroy" && context.weekday > 5 };',
        'forbid (principal, action, resource) when { resource.kind == "secrets" && context.effect != Effect::"read" };',
    ]
    rules += [
        f'permit (principal in Group::"team-{n}", action, resource)'
        f' when {{ resource.namespace == "team-{n}" && context.effect != Effect::"destroy" }};'
        for n in range(80)
    ]
    rules += [
        "permit (principal, action, resource) when {"
        f' principal has account && principal.account.namespace == "ci-{n}" && resource.namespace like "apps-{n}-*" }};'
        for n in range(50)
    ]
    rules += [
        "forbid (principal, action, resource)"
        f' when {{ resource.namespace == "system-{n}" && context.effect != Effect::"read" }};'
        for n in range(36)
    ]
    rules += [
        f'forbid (principal, action == Action::"{tool}", resource) unless {{ principal in Group::"admins-{n}" }};'
        for tool in ("k8s_execute_command", "helm_uninstall", "k8s_delete_resource")
        for n in range(10)
    ]
    assert len(rules) == FIRM
    return "\n".join(f'@id("rule-{number}") {rule}' for number, rule in enumerate(rules))


def _many(principal: str) -> str:
    return "".join(
        f'@id("r{number}") permit ({principal.format(number)}, action, resource)'
        f' when {{ resource.namespace == "n{number}" }};\n'
        for number in range(10_000)
    )


def _with(examples: RuleSet, text: str) -> RuleSet:
    sources = [rule.statement.source for rule in examples.rules]
    return read_rules([*dict.fromkeys(sources), Source("many.cedar", text)])


def _question(policy: RuleSet, is_open: bool = False) -> Question:
    guard, _ = guard_of(policy, WHO, "k8s_scale", {"name": "web", "replicas": 3})
    resource = guard.call.resource if is_open else of("deployments", "shop", group="apps")
    return guard.call.question(Effect.WRITE, resource, "none")


def _decision(policy: RuleSet, is_open: bool = False) -> float:
    """Of questions none of which was asked before."""
    question, numbers = _question(policy, is_open), count()
    return cpu_milliseconds(lambda: policy.ask(question.elsewhere(cluster=f"c{next(numbers)}")), RUNS, TIMES)


def _again(policy: RuleSet) -> float:
    question = _question(policy)
    return cpu_milliseconds(lambda: policy.ask(question), RUNS, TIMES)


if __name__ == "__main__":
    sys.exit(main())
