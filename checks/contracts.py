"""The import contracts: contracts.ini with the servers filled in, which import-linter then reads.

In contracts.ini a line `<servers>` stands for every server's package, `<kubernetes servers>` and `<other servers>` for
those that talk to Kubernetes and those that do not. A section whose name holds `<server>` is repeated for each server;
`<logic>` in it stands for every module of that package that the section does not name, so no module is left out.
"""

import configparser
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from checks.declared import DeclaredServer, declared_servers

TEMPLATE = Path(__file__).with_name("contracts.ini")
_LOGIC = "<logic>"


def read_contracts(root: Path) -> configparser.ConfigParser:
    """The contracts as import-linter takes them, for the servers that pyproject.toml in `root` declares."""
    servers = declared_servers(root)
    template = configparser.ConfigParser(interpolation=None)
    template.read_string((root / "checks" / TEMPLATE.name).read_text())
    contracts = configparser.ConfigParser(interpolation=None)
    for section in template.sections():
        repeated: Iterable[DeclaredServer | None] = servers if "<server>" in section else [None]
        for server in repeated:
            name = section.replace("<server>", server.name if server else "")
            contracts[name] = {
                option: "\n".join(_filled(value, servers, server, root)) for option, value in template[section].items()
            }
    return contracts


def write_contracts(root: Path, path: Path) -> None:
    with path.open("w") as file:
        read_contracts(root).write(file)


def _filled(value: str, servers: list[DeclaredServer], one: DeclaredServer | None, root: Path) -> Iterator[str]:
    groups = {
        "<servers>": servers,
        "<kubernetes servers>": [server for server in servers if server.uses_kubernetes],
        "<other servers>": [server for server in servers if not server.uses_kubernetes],
    }
    for line in value.splitlines():
        if line in groups:
            yield from (server.package for server in groups[line])
        elif one is None:
            yield line
        elif line == _LOGIC:
            yield from _logic(root / one.folder, set(re.findall(r"\w+", value)))
        else:
            yield line.replace("<server>", one.package)


def _logic(package: Path, named: set[str]) -> Iterator[str]:
    """One layer of all that is not named: import-linter separates modules that may know each other by a colon."""
    modules = {path.stem for path in package.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    if rest := sorted(modules - named - {"__init__"}):
        yield " : ".join(rest)
