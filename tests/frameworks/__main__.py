"""`python -m tests.frameworks`: which tools each framework loads and what a model pays, as a page of the docs."""

import asyncio
import sys
from pathlib import Path

from tests.frameworks.converting import PAGE, PINS, convert, every_tool
from tests.frameworks.paying import FRAMEWORKS, pay, suite

HEAD = """# Frameworks

Written by `python -m tests.frameworks`; do not edit.

The converters of these frameworks, as published, make of every tool's arguments what their models get. A tool comes
through when its types, enums, descriptions and required arguments are still those that the server lists; one that does
not is named here.
"""

PAYING = """
## What a model pays

What each hands its model of the list of all tools, and of one answer (of `query_documentation`), measured by its own
client against a running suite, in tokens of four bytes. Each request pays for the list again. google-genai, google-adk
and llama-index hand on both forms of an answer, the text and the data, and google-adk the schemas of answers, too.
`?output-schemas=false` in the address, or `KMCP_OUTPUT_SCHEMAS=false`, has the suite answer in one form: that halves
their answers, and google-adk's list is a third. google-adk says who it is and gets one form where neither is set; the
others of these cannot be told from any client of the Python SDK. With one form, others lose nothing but the data.

| Framework | List | with two forms | with one | Answer | with two forms | with one |
|---|---|---|---|---|---|---|
"""


def table() -> str:
    servers = every_tool()
    lost = {framework: convert(framework, [tool for each in servers.values() for tool in each]) for framework in PINS}
    lines = ["| Framework | Version |", "|---|---|"]
    lines += [f"| {framework} | {pins[0].rpartition('=')[2]} |" for framework, pins in PINS.items()]
    lines += ["", f"| Server | {' | '.join(PINS)} |", "|---" * (len(PINS) + 1) + "|"]
    for server, tools in servers.items():
        names = [tool["name"] for tool in tools]
        cells = [", ".join(name for name in names if _lost(name, lost[each])) or "all" for each in PINS]
        lines.append(f"| {server} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _lost(tool: str, faults: list[str]) -> bool:
    return any(fault.startswith((f"{tool}:", f"{tool}.")) for fault in faults)


async def costs() -> str:
    lines = []
    async with suite(Path("none")) as url:
        for framework in FRAMEWORKS:
            paid = (await pay(framework, url)).values()
            cells = [*(each.listed for each in paid), *(each.answered for each in paid)]
            lines.append(f"| {framework} | {' | '.join(f'{cell:,}' for cell in cells)} |")
    return "\n".join(lines)


def main() -> int:
    PAGE.write_text(f"{HEAD}\n{table()}\n{PAYING}{asyncio.run(costs())}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
