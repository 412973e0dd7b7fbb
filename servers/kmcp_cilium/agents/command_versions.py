"""Commands and flags that not every version of `cilium-dbg` has, and what to do where one is missing.

Under a known group an unknown subcommand prints its help and exits with 0, so a missing command must not be run.
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
class Span:
    """A command with the versions that have it; `until` is the first one without it."""

    command: tuple[str, ...]
    instead: str
    hint: str
    since: Version | None = None
    until: Version | None = None

    @property
    def name(self) -> str:
        return " ".join(self.command)

    def has(self, version: Version | None) -> bool:
        """Whether a version has it; one that cannot be read is taken for the newest."""
        if version is None:
            return self.until is None
        return (self.since is None or version >= self.since) and (self.until is None or version < self.until)

    def failure(self, version: str, hint: str | None = None) -> ToolFailure:
        known = minor(version)
        early = self.since is not None and known is not None and known < self.since
        change = f"came with Cilium {shown(self.since)}" if early else f"was removed in Cilium {shown(self.until)}"
        return unavailable(
            f"`cilium-dbg {self.name}` {change} and this agent runs {version}: {self.instead}", hint or self.hint
        )


SPANS = (
    Span(
        ("ip", "get"),
        "an agent of that version only lists its whole IP cache",
        "cilium_list_ip_addresses lists it",
        since=(1, 17),
    ),
    Span(
        ("loadinfo",),
        "the agent does not report its load",
        "k8s_top resource_type=nodes shows the node's",
        since=(1, 16),
    ),
    Span(
        ("envoy", "admin", "logging"),
        "the log levels of Envoy cannot be read through it",
        "resource_name=serverinfo shows how Envoy was started",
        since=(1, 17),
    ),
    Span(
        ("policy", "subject-selectors"),
        "the subjects of policies are not listed apart",
        "cilium_display_policy_node_information shows the subject of each rule",
        since=(1, 19),
    ),
    # "service list" stays: it shows what Services and EndpointSlices have become in the datapath.
    Span(("service", "get"), *_SERVICES, until=(1, 18)),
    Span(("service", "update"), *_SERVICES, until=(1, 18)),
    Span(("service", "delete"), *_SERVICES, until=(1, 18)),
    # The whole group is gone, so one word is enough.
    Span(("recorder",), *_RECORDER, until=(1, 19)),
    Span(
        ("policy", "delete"),
        "policies exist only as objects",
        "cilium_delete_policy_rules deletes the objects",
        until=(1, 19),
    ),
)


def span_of(words: Sequence[str]) -> Span | None:
    """The versions of a command; None for one that every version has."""
    return next((span for span in SPANS if tuple(words[: len(span.command)]) == span.command), None)


def minor(version: str) -> Version | None:
    """Major and minor of `1.19.5` or `v1.20.0-pre.1`; None for anything else."""
    found = _VERSION.match(version)
    return (int(found[1]), int(found[2])) if found else None


def shown(version: Version | None) -> str:
    return ".".join(map(str, version or ()))
