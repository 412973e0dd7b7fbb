"""D1, D4: what the commands of Cilium's agents do, as the door judges them."""

import pytest

from kmcp_cilium.agents.command_effects import judge
from kmcp_runtime import Effect

WHERE = "on node a, pod kube-system/cilium-a"
READING = (
    "bgp peers -o json",
    "config --list-options",
    "config -o json -a",
    "endpoint config 5 -o json",
    "endpoint get -o json -- container-name:x=y",
    "encrypt status -o json",
    "envoy admin logging list",
    "fqdn cache list -o json --matchpattern *.example",
    "kvstore get --recursive -o json -- cilium/a=b",
    "map get -o json -- cilium_lxc",
    "metrics list -o json -p a=b",
    "preflight validate-cnp",
    "prefilter list -o json",
    "recorder get 5 -o json",
    "status --verbose",
    "version -o json",
)
WRITING = (
    "config Debug=true",
    "endpoint config 5 Debug=true",
    "endpoint labels 5 --add a=b",
    "endpoint labels 5 --delete a",
    "fqdn cache clean -f",
    "recorder update --id 5 --filters x",
    "service update --id 5 --frontend 10.0.0.1:80",
)
DESTROYING = (
    "encrypt flush -f --stale",
    "endpoint disconnect 5",
    "kvstore delete --recursive -- cilium/a",
    "kvstore set --key=a --value=b",
    "prefilter delete --cidr 10.0.0.0/8",
    "prefilter update --cidr 10.0.0.0/8",
    "recorder delete 5",
    "service delete --all",
    "service delete 5",
)
UNKNOWN = (
    "bpf policy delete 5",
    "cleanup -f",
    "endpoint regenerate 5",
    "identity delete 5",
    "kvstore",
    "map update cilium_lxc",
    "node delete a",
    "policy delete --all",
    "policy import x.json",
    "prefilter",
    "statusx",
    "",
)
AGENTS = ("cilium-dbg", "cilium")


def _effect(program: str, command: str) -> Effect:
    return judge(program, command.split(), WHERE).effect


@pytest.mark.parametrize("program", AGENTS)
@pytest.mark.parametrize(
    ("commands", "effect"), [(READING, Effect.READ), (WRITING, Effect.WRITE), (DESTROYING, Effect.DESTROY)]
)
def test_D1_what_each_command_does(program: str, commands: tuple[str, ...], effect: Effect) -> None:
    assert {command: _effect(program, command) for command in commands} == dict.fromkeys(commands, effect)


@pytest.mark.parametrize("command", UNKNOWN)
def test_D1_an_unknown_command_is_not_less_than_destruction(command: str) -> None:
    verdict = judge("cilium-dbg", command.split(), WHERE)
    assert verdict.effect is Effect.DESTROY
    assert verdict.reasons[0].startswith(f"runs a command that is not known to be harmless {WHERE}: cilium-dbg")


def test_D1_other_programs_count_by_their_own_name() -> None:
    assert _effect("hubble", "observe --last 5") is Effect.READ
    assert _effect("cilium-health", "status -o json") is Effect.READ
    # The same words mean something else to another program.
    assert _effect("hubble", "status") is Effect.DESTROY
    assert _effect("cilium-health", "config") is Effect.DESTROY
    assert _effect("cilium-dbg", "observe") is Effect.DESTROY
    assert _effect("sh", "-c status") is Effect.DESTROY


def test_a_reason_says_what_and_where_and_no_value_that_is_stored() -> None:
    (reason,) = judge("cilium-dbg", ["kvstore", "set", "--key=a", "--value=hunter2"], WHERE).reasons
    assert reason == f"overwrites a key of the key-value store {WHERE}: kvstore set --key=a"
    (reason,) = judge("cilium-dbg", ["prefilter", "update", "--cidr", "10.0.0.0/8," * 500], WHERE).reasons
    assert len(reason) < 400
