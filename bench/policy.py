"""`python -m bench.policy`: the CPU time of one decision of a policy, as calls meet it."""

import json
import sys

from bench.goal import Goal, cpu_milliseconds
from kmcp_runtime import Effect
from kmcp_runtime.policy.questions import Question
from kmcp_runtime.policy.reading import read_files, read_rules
from kmcp_runtime.policy.rules import RuleSet
from kmcp_runtime.policy.statements import Source
from tests.policy.deciding import EXAMPLES, caller, guard_of, of, vocabulary

GOAL_MS = 0.3
RUNS, TIMES = 5, 500
WHO = caller("sam", "team-shop", "oncall", "platform")


def main() -> int:
    examples = read_rules(read_files([EXAMPLES]), vocabulary())
    many = "".join(
        f'@id("r{number}") permit (principal in Group::"g{number}", action, resource)'
        f' when {{ resource.namespace == "n{number}" }};\n'
        for number in range(10_000)
    )
    asked = _question(examples).surroundings
    rows = {
        "a decision by all shipped examples": _decision(examples),
        "the same, where it is open": _decision(examples, is_open=True),
        "the same beside 10,000 rules of other groups": _decision(_with(examples, many)),
        "json.loads of what is asked": cpu_milliseconds(lambda: json.loads(asked()), RUNS, TIMES),
    }
    for name, milliseconds in rows.items():
        print(f"{name:60} {milliseconds:8.3f} ms of CPU")
    goal = Goal("CPU milliseconds a decision", rows["a decision by all shipped examples"], GOAL_MS)
    print(goal.line())
    return int(not goal.met)


def _with(examples: RuleSet, text: str) -> RuleSet:
    sources = [rule.statement.source for rule in examples.rules]
    return read_rules([*dict.fromkeys(sources), Source("many.cedar", text)])


def _question(policy: RuleSet, is_open: bool = False) -> Question:
    guard, _ = guard_of(policy, WHO, "k8s_scale", {"name": "web", "replicas": 3})
    resource = guard.call.resource if is_open else of("deployments", "shop", group="apps")
    return guard.call.question(Effect.WRITE, resource, "none")


def _decision(policy: RuleSet, is_open: bool = False) -> float:
    question = _question(policy, is_open)
    policy.ask(question)
    return cpu_milliseconds(lambda: policy.ask(question), RUNS, TIMES)


if __name__ == "__main__":
    sys.exit(main())
