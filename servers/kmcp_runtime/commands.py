"""The script `kmcp-suite`: its subcommands are found in the entry points `kmcp.commands`.

Light, since most of them serve no tools: the framework of the servers is half of what a process would hold.
"""

import sys
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from typing import cast

from kmcp_runtime.errors import suggesting

COMMANDS = "kmcp.commands"


def main(argv: Sequence[str] | None = None) -> int:
    """`kmcp-suite COMMAND …`."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    commands = {found.name: found for found in entry_points(group=COMMANDS)}
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: kmcp-suite COMMAND …\n\ncommands:", *sorted(commands), sep="\n  ")
        return 0
    if arguments[0] not in commands:
        return complain(suggesting(f"no command {arguments[0]!r}", arguments[0], commands))
    command = cast("Callable[[Sequence[str]], int]", commands[arguments[0]].load())
    return command(arguments[1:])


def complain(text: str, program: str = "kmcp-suite") -> int:
    print(f"{program}: {text}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
