"""The page of the documentation that says what differs between the supported versions of Cilium.

`generated()` is an entry point of the group `kmcp.generated`. Commands come from `command_versions`; what answers and
values look like stands here, and the tests hold the readers to each form.
"""

from dataclasses import dataclass
from pathlib import Path

from kmcp_cilium.agents.command_versions import SPANS, Version, shown
from kmcp_runtime.reference import markdown

PAGE = Path("docs/reference/cilium-versions.md")
SUPPORTED: tuple[Version, ...] = tuple((1, minor) for minor in range(15, 21))
_INTRODUCTION = """\
# Cilium by version

The Cilium server works with agents and charts of 1.15 to 1.20. Versions differ in the commands of `cilium-dbg`, in what
those print and in the values of the chart. The server asks an agent for its version and reads each form; a command that
a version does not have is refused with what to do instead, and what no answer says is left open."""


@dataclass(frozen=True)
class Form:
    """What an answer or value looks like, by the version from which on it does."""

    what: str
    since: tuple[tuple[Version, str], ...]

    def at(self, version: Version) -> str:
        return [text for first, text in self.since if first <= version][-1]


FORMS = (
    Form("Policy rules (`policy get`)", (((1, 15), "ingress, egress"), ((1, 19), "one entry each, with a verdict"))),
    Form("Rules without peers", (((1, 15), "no field"), ((1, 19), "`L3`: `[]` everybody, `null` nobody"))),
    Form("Nodes as peers (`fromNodes`)", (((1, 15), "no"), ((1, 16), "yes"))),
    Form("Port ranges (`endPort`)", (((1, 15), "no"), ((1, 16), "yes"))),
    Form("Policy of a selector", (((1, 15), "of the first rule"), ((1, 20), "of every rule"))),
    Form("Log of `preflight validate-cnp`", (((1, 15), "kind as a field"), ((1, 18), "`type` and `name`"))),
    Form("Protocol of a service's backend", (((1, 15), "absent"), ((1, 17), "given"))),
    Form("Protocols of `service update`", (((1, 15), "TCP"), ((1, 17), "TCP, UDP"), ((1, 18), "–"))),
    Form("Connected clusters (chart)", (((1, 15), "list"), ((1, 19), "list or map"))),
)


def generated() -> dict[Path, str]:
    """The page, by its path in the checkout."""
    heads = ["", *(shown(version) for version in SUPPORTED)]
    commands = (
        (f"`{span.name}`", *("yes" if span.has(version) else "no" for version in SUPPORTED))
        for span in sorted(SPANS, key=lambda span: span.name)
    )
    forms = ((form.what, *(form.at(version) for version in SUPPORTED)) for form in FORMS)
    return {
        PAGE: markdown.page(
            _INTRODUCTION,
            "## Commands of the agent",
            "Every other command that the server runs is in all of these versions.",
            markdown.table(heads, commands),
            "## Cilium fields by version",
            markdown.table(heads, forms),
        )
    }
