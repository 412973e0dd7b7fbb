"""The page of costs: what the list of tools takes of a model's context, by server and by what a client hands on."""

from collections.abc import Iterable, Sequence

from kmcp_runtime.catalog import tokens_of
from kmcp_runtime.catalog.canonical import compact
from kmcp_runtime.declaration import ToolSpec
from kmcp_runtime.engine import door
from kmcp_runtime.reference.markdown import code, table
from kmcp_runtime.reference.markdown import page as joined
from kmcp_runtime.server import Server

_ABOUT = """\
What a model pays before it has asked anything: the list of tools, with each request that its client sends. A token is
four bytes of names, descriptions and schemas of arguments as they are listed, which is the measure of the suite's
budgets; a model's own tokenizer counts a little differently. Most clients hand on just these; google-adk hands on the
schemas of answers as well, and some hand on each answer twice, as text and as data. For them there is
`?output-schemas=false` in the address, and `KMCP_OUTPUT_SCHEMAS=false`: [Frameworks](frameworks.md#what-a-model-pays)
says who pays what."""
_ANSWERS = """\
An answer is cut at `KMCP_ANSWER_TOKENS`, and most are far below: [Tasks](evals.md) says what whole tasks take, with the
answers that are read. It counts the text of an answer; who hands on the data, too, pays for both."""
_HEADS = ("Server", "Tools", "Tokens", "a tool", "Read-only: tools", "tokens", "With schemas of answers")


def page(servers: Sequence[Server]) -> str:
    every = [declared for server in servers for declared in server.tools()]
    first = {name for server in servers for name in server.first}
    opened = sum(tokens_of(tool.name, tool.description or "", tool.parameters) for tool in door.tools())
    return joined(
        "# Costs",
        _ABOUT,
        "## By server",
        table(
            _HEADS,
            [_row(code(server.name), server.tools()) for server in servers] + [_row("**all**", every)],
        ),
        "## By address and setting",
        "Of all servers in one process, as `kmcp-suite up` has them:",
        table(
            ("Listed by", "Tools", "Tokens", "With schemas of answers"),
            [
                _listing("`/mcp`: the door with the most used", [each for each in every if each.name in first], opened),
                _listing("`/mcp?read-only`", [each for each in _reading(every) if each.name in first], opened),
                _listing("`/mcp?tools=all`, `KMCP_LISTING=all`", every),
                _listing("`/mcp?tools=all&read-only`", _reading(every)),
            ],
        ),
        f"The door of `/mcp` itself, `{door.SEARCH}` and `{door.CALL}`, is {opened} tokens of these.",
        "## Answers",
        _ANSWERS,
    )


def _row(name: str, tools: Sequence[ToolSpec]) -> tuple[str, ...]:
    reading, tokens = _reading(tools), _tokens(tools)
    each = f"{tokens / len(tools):.0f}"
    return (
        name,
        str(len(tools)),
        _count(tokens),
        each,
        str(len(reading)),
        _count(_tokens(reading)),
        _count(_whole(tools)),
    )


def _listing(name: str, tools: Sequence[ToolSpec], beside: int = 0) -> tuple[str, ...]:
    own = len(door.tools()) if beside else 0
    return name, str(len(tools) + own), _count(_tokens(tools) + beside), _count(_whole(tools) + beside)


def _reading(tools: Iterable[ToolSpec]) -> list[ToolSpec]:
    return [found for declared in tools if (found := declared.read_only()) is not None]


def _tokens(tools: Iterable[ToolSpec]) -> int:
    return sum(tokens_of(each.name, each.description, each.input_schema()) for each in tools)


def _whole(tools: Iterable[ToolSpec]) -> int:
    """With the schemas of answers."""
    found = list(tools)
    return _tokens(found) + sum(len(compact(each.output_schema()).encode()) // 4 for each in found)


def _count(number: int) -> str:
    return f"{number:,}"
