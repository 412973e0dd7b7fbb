"""What the agents' command lines do: those that only read by name, those that change by what they change.

A command that is not listed here is not known to be less than destruction.
"""

import shlex
from collections.abc import Mapping, Sequence

from kmcp_runtime.judging import READS, Verdict, destroys, writes

_READING = frozenset(
    {
        "bgp",
        "cilium-health status",
        "config",
        "debuginfo",
        "encrypt status",
        "endpoint config",
        "endpoint get",
        "endpoint health",
        "endpoint list",
        "endpoint log",
        "envoy admin",
        "fqdn cache list",
        "fqdn names",
        "hubble observe",
        "identity get",
        "identity list",
        "ip get",
        "ip list",
        "kvstore get",
        "kvstoremesh-dbg status",
        "loadinfo",
        "lrp list",
        "map events",
        "map get",
        "map list",
        "metrics list",
        "node list",
        "nodeid list",
        "policy get",
        "policy selectors",
        "policy subject-selectors",
        "prefilter list",
        "preflight validate-cnp",
        "recorder get",
        "recorder list",
        "service get",
        "service list",
        "status",
        "version",
    }
)
_WRITING: Mapping[str, str] = {
    "config": "sets an option",
    "endpoint config": "sets options of an endpoint",
    "endpoint labels": "changes labels of an endpoint",
    "fqdn cache clean": "clears cached DNS names, which the next answers bring back",
    "recorder update": "sets a packet recorder",
    "service update": "sets a service of the load balancer, which the agent corrects with the next change",
}
_DESTROYING: Mapping[str, str] = {
    "encrypt flush": "deletes encryption state",
    "endpoint disconnect": "disconnects an endpoint",
    "kvstore delete": "deletes keys of the key-value store",
    "kvstore set": "overwrites a key of the key-value store",
    "prefilter delete": "removes packet filters",
    "prefilter update": "drops every packet from address ranges",
    "recorder delete": "deletes a packet recorder",
    "service delete": "deletes services of the load balancer",
}
_PROGRAMS = ("hubble", "cilium-health")
"""Programs whose own name tells what their commands do; the others are one program under several names."""
_LONGEST = 3
_MOST_SHOWN = 200


def judge(program: str, words: Sequence[str], where: str) -> Verdict:
    """What a command does in an agent; `where` says in which one."""
    named = [program, *words] if program in _PROGRAMS else [*words]
    known = (" ".join(named[:count]) for count in range(min(_LONGEST, len(named)), 0, -1))
    # An option is read by its name and set by `name=value`, as an operand: what begins with a dash is a flag.
    sets = any("=" in word and not word.startswith("-") for word in words) and named[:1] != ["kvstore"]
    # Neither values that a caller stores nor the length of a list of ranges belong in a sentence.
    shown = shlex.join(word for word in named if not word.startswith("--value="))[:_MOST_SHOWN]
    for name in known:
        if name in _READING and not (sets and name in _WRITING):
            return READS
        if name in _WRITING:
            return writes(f"{_WRITING[name]} {where}: {shown}")
        if name in _DESTROYING:
            return destroys(f"{_DESTROYING[name]} {where}: {shown}")
    return destroys(f"runs a command that is not known to be harmless {where}: {program} {shown}")
