"""`python -m tests.frameworks`: which tools each framework loads with their meaning, as a page of the docs."""

import sys

from tests.frameworks.converting import PAGE, PINS, convert, every_tool

HEAD = """# Frameworks

Written by `python -m tests.frameworks`; do not edit.

The converters of these frameworks, as published, make of every tool's arguments what their models get. A tool comes
through when its types, enums, descriptions and required arguments are still those that the server lists; one that does
not is named here.
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


def main() -> int:
    PAGE.write_text(f"{HEAD}\n{table()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
