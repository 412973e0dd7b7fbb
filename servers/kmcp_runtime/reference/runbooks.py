"""The page of the runbooks: what each is for, what it takes and which tools it calls, from their files."""

from collections.abc import Sequence

from kmcp_runtime.reference.markdown import code, codes, table
from kmcp_runtime.reference.markdown import page as joined
from kmcp_runtime.runbooks.reading import Runbook, runbooks_of
from kmcp_runtime.runbooks.steps import calls_in
from kmcp_runtime.server import Server

_ABOUT = """\
A runbook says what to look at, in which order, when something is wrong: numbered steps, each with a tool, what to look
for in its answer and where to go then. A process has those whose servers it has. How to use them is in
[Runbooks](../guides/runbooks.md)."""


def page(servers: Sequence[Server]) -> str:
    found = runbooks_of(servers)
    rows = [(code(each.name), each.description, ", ".join(each.servers)) for each in found]
    return joined("# Runbooks", _ABOUT, table(("Name", "When", "Servers"), rows), *map(_part, found))


def _part(runbook: Runbook) -> str:
    rows = [(code(each.name), each.description, "yes" if each.required else "no") for each in runbook.arguments]
    tools = dict.fromkeys(call.tool for call in calls_in(runbook.body))
    parts = [f"## {runbook.name}", f"{runbook.title}. Skill: {code(runbook.uri)}"]
    parts += [table(("Argument", "What", "Required"), rows), f"Calls {codes(tools)}."]
    return "\n\n".join(parts)
