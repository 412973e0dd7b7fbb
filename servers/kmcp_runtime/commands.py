"""The script `kmcp-suite`: its subcommands are found in the entry points `kmcp.commands`.

Light, since most of them serve no tools: the framework of the servers is half of what a process would hold.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from kmcp_runtime.endings import INTERRUPTED, ended_quietly

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

COMMANDS = "kmcp.commands"


def main(argv: Sequence[str] | None = None) -> int:
    """`kmcp-suite COMMAND …`. Ctrl-C ends each in one line; one that has more to say of it catches it first."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return ended_quietly(lambda: _run(arguments))
    except KeyboardInterrupt:
        print(f"{' '.join(['kmcp-suite', *arguments[:1]])}: interrupted", file=sys.stderr)
        return INTERRUPTED


def _run(arguments: list[str]) -> int:
    # Imported here, where Ctrl-C is caught already.
    from importlib.metadata import entry_points

    from kmcp_runtime.errors import suggesting

    commands = {found.name: found for found in entry_points(group=COMMANDS)}
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_usage(commands))
        return 0
    if arguments[0] not in commands:
        return complain(suggesting(f"no command {arguments[0]!r}", arguments[0], commands))
    try:
        command = cast("Callable[[Sequence[str]], int]", commands[arguments[0]].load())
    except ModuleNotFoundError as error:
        return complain(_absent(arguments[0], error))
    return command(arguments[1:])


def _usage(commands: "Mapping[str, EntryPoint]") -> str:
    width = max(map(len, commands), default=0)
    lines = [f"  {name:{width}}  {_about(found)}".rstrip() for name, found in sorted(commands.items())]
    return "\n".join(["usage: kmcp-suite COMMAND …", "", "commands (COMMAND --help says more):", *lines])


def _about(found: "EntryPoint") -> str:
    """The first line of a command's docstring. It is read and not imported: libraries of an extra may be absent."""
    import ast
    from importlib.util import find_spec
    from pathlib import Path

    try:
        spec = find_spec(found.module)
    except ModuleNotFoundError:
        spec = None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return ""
    body = ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body
    texts = [ast.get_docstring(each) for each in body if isinstance(each, ast.FunctionDef) and each.name == found.attr]
    return (texts[0] or "").partition("\n")[0] if texts else ""


def _absent(name: str, error: ModuleNotFoundError) -> str:
    """A library of an extra is not there; a module of our own that is not there is a fault of the program."""
    if error.name is None or error.name.startswith("kmcp_"):
        raise error
    from kmcp_runtime.publishing import published

    return f"{name} needs the library {error.name}, which is not installed; {published().install_hint('all')}"


def serve_all() -> int:
    """`kmcp-all`, what the image with every server starts: `kmcp-suite serve`."""
    return main(["serve", *sys.argv[1:]])


def run_controller() -> int:
    """`kmcp-controller`, what the controller's image starts: `kmcp-suite controller`."""
    return main(["controller", *sys.argv[1:]])


def complain(text: str, program: str = "kmcp-suite") -> int:
    print(f"{program}: {text}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
