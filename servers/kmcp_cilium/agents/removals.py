"""Commands that `cilium-dbg` no longer has, from which version on, and what replaces them.

Under a known group an unknown subcommand prints its help and exits with 0, so a removed command must not be run.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kmcp_runtime import ToolFailure, unavailable

Version = tuple[int, int]
"""Major and minor, with which commands are added and removed."""
_VERSION = re.compile(r"v?(\d+)\.(\d+)")

_SERVICES = (
    "the load balancer follows Services and EndpointSlices",
    "change the Service or its EndpointSlices: k8s_patch_resource resource_type=services",
)
_RECORDER = ("upstream recommends tcpdump on the node", "cilium_hubble_observe shows flows")


@dataclass(frozen=True)
class Removal:
    """A removed command: the first version without it, what replaces it, and the next step."""

    command: tuple[str, ...]
    since: Version
    instead: str
    hint: str

    def failure(self, version: str, hint: str | None = None) -> ToolFailure:
        command = " ".join(self.command)
        since = ".".join(map(str, self.since))
        return unavailable(
            f"`cilium-dbg {command}` was removed in Cilium {since} and this agent runs {version}: {self.instead}",
            hint or self.hint,
        )


REMOVALS = (
    # "service list" stays: it shows what Services and EndpointSlices have become in the datapath.
    Removal(("service", "get"), (1, 18), *_SERVICES),
    Removal(("service", "update"), (1, 18), *_SERVICES),
    Removal(("service", "delete"), (1, 18), *_SERVICES),
    # The whole group is gone, so one word is enough.
    Removal(("recorder",), (1, 19), *_RECORDER),
    Removal(
        ("policy", "delete"),
        (1, 19),
        "policies exist only as objects",
        "cilium_delete_policy_rules deletes the objects",
    ),
)


def removal_of(words: Sequence[str]) -> Removal | None:
    """The removal of a command; None for a command that every version has."""
    return next((gone for gone in REMOVALS if tuple(words[: len(gone.command)]) == gone.command), None)


def minor(version: str) -> Version | None:
    """Major and minor of `1.19.5` or `v1.20.0-pre.1`; None for anything else."""
    found = _VERSION.match(version)
    return (int(found[1]), int(found[2])) if found else None
