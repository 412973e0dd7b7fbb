"""`python -m bench.policy`: the CPU time of one decision of a policy, as calls meet it."""

import json
import sys
import time
from collections.abc import Callable

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
    rows = {
        "a decision by all shipped examples": _decision(examples),
        "the same, where it is open": _decision(examples, is_open=True),
        "the same beside 10,000 rules of other groups": _decision(_with(examples, many)),
        "json.loads of what is asked": _milliseconds(lambda: json.loads(_question(examples).surroundings())),
    }
    for name, milliseconds in rows.items():
        print(f"{name:60} {milliseconds:8.3f} ms of CPU")
    decided = rows["a decision by all shipped examples"]
    print(f"goal: at most {GOAL_MS} ms; {'met' if decided <= GOAL_MS else 'missed'}")
    return 0 if decided <= GOAL_MS else 1


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
    return _milliseconds(lambda: policy.ask(question))


def _milliseconds(function: Callable[[], object]) -> float:
    """Of one time, in the best of several runs."""
    taken = []
    for _ in range(RUNS):
        start = time.process_time()
        for _ in range(TIMES):
            function()
        taken.append((time.process_time() - start) / TIMES)
    return min(taken) * 1000


if __name__ == "__main__":
    sys.exit(main())
