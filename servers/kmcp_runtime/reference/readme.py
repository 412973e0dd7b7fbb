"""The README's table of servers."""

from collections.abc import Sequence

from kmcp_runtime.reference.markdown import table
from kmcp_runtime.server import Server
from kmcp_runtime.settings import is_required, variable

BEGIN, END = "<!-- generated: servers -->", "<!-- end: servers -->"


def filled(text: str, servers: Sequence[Server]) -> str:
    """The README with its table as it must be now."""
    if BEGIN not in text or END not in text:
        raise SystemExit(f"README.md has no place for the table of servers: add {BEGIN} and {END}")
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{_servers(servers)}\n{END}{rest.partition(END)[2]}"


def _servers(servers: Sequence[Server]) -> str:
    return table(
        ("Server", "What it does", "Tools", "Port", "Needs"),
        (
            (
                f"[{server.name}](docs/reference/tools/{server.name}.md)",
                server.description,
                count(server),
                str(server.port),
                needed(server),
            )
            for server in servers
        ),
    )


def count(server: Server) -> str:
    """The number of tools, with the extras after a plus."""
    tools = server.tools()
    extras = sum(declared.extra for declared in tools)
    return f"{len(tools) - extras} + {extras}" if extras else str(len(tools))


def needed(server: Server) -> str:
    """What a server has no backend without."""
    fields = server.settings.model_fields
    required = [f"`{variable(name, field)}`" for name, field in fields.items() if is_required(field)]
    if "kubeconfig" in fields:
        required.insert(0, f"`{variable('kubeconfig', fields['kubeconfig'])}`, or a pod's service account")
    return ", ".join(required) or "nothing"
