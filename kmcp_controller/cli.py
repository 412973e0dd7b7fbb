"""The controller's subcommands of `kmcp-suite`: `up`, `plan` and `controller`."""

import argparse
import asyncio
import gc
import ipaddress
import os
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, cast

import yaml

from kmcp_runtime import settings
from kmcp_runtime.catalog import Document, InvalidDocumentError, documents, load
from kmcp_runtime.errors import ToolFailure

from .local import Options, PortInUseError
from .render import render
from .spec import Platform, RefusedError, parse
from .spec.model import KIND
from .up import up as run

_ASSUMED = "assumed: references exist, no autoscaler, no Pod Security label on the namespace, RemoteMCPServer is served"


def up(argv: Sequence[str]) -> int:
    """Run the suite on this machine until Ctrl-C."""
    parser = argparse.ArgumentParser("kmcp-suite up", description=up.__doc__)
    parser.add_argument("--catalog", type=Path, default=Path("catalog.yaml"), help="the catalog (default: %(default)s)")
    parser.add_argument("--manifests", type=Path, help="folder of further MCPServer manifests")
    parser.add_argument("--secrets", type=Path, help="folder of <Secret>/<key> files for what manifests refer to")
    parser.add_argument("--host", type=_loopback, default="127.0.0.1", help="loopback address (default: %(default)s)")
    parser.add_argument("--port", type=_port, default=8080, help="MCP, all servers (default: %(default)s)")
    parser.add_argument("--management-port", type=_port, default=8081, help="health, metrics (default: %(default)s)")
    parser.add_argument("--catalog-port", type=_port, default=8082, help="catalog (default: %(default)s)")
    _suite_image(parser)
    given = parser.parse_args(argv)
    options = Options(
        host=given.host,
        port=given.port,
        management_port=given.management_port,
        catalog_port=given.catalog_port,
        secrets=given.secrets,
        suite_images=("kmcp", *given.suite_image),
        installed=frozenset(found.name for found in entry_points(group="kmcp.servers")),
    )
    return start(given.catalog, given.manifests, options)


def start(catalog: Path, folder: Path | None, options: Options) -> int:
    try:
        found = load(catalog.read_text(), str(catalog))
        manifests = [each.data for _, each in _manifests(_files(folder) if folder else ())]
        return asyncio.run(run(found, manifests, options))
    except (OSError, InvalidDocumentError, PortInUseError) as error:
        print(f"kmcp-suite up: {error}", file=sys.stderr)
        return 1


def plan(argv: Sequence[str]) -> int:
    """Print the objects that a manifest becomes, without a cluster."""
    parser = argparse.ArgumentParser("kmcp-suite plan", description=plan.__doc__)
    parser.add_argument("-f", "--filename", type=Path, required=True, help="file of MCPServer manifests")
    _suite_image(parser)
    given = parser.parse_args(argv)
    platform = Platform(suite_images=("kmcp", *given.suite_image), server_roles=("bind", "derive"))
    try:
        servers = _parsed(given.filename, platform)
    except (OSError, InvalidDocumentError) as error:
        print(error, file=sys.stderr)
        return 1
    print(_ASSUMED, file=sys.stderr)
    objects = [each for server in servers for each in render(server, platform)]
    yaml.dump_all(objects, sys.stdout, Dumper=_Plain, sort_keys=False, width=120, explicit_start=True)
    return 0


def controller(argv: Sequence[str]) -> int:
    """Keep the objects of every MCPServer of a cluster, until a signal."""
    # kopf and aiohttp are an extra, which the other subcommands do without.
    import uvloop

    from . import logs
    from .incluster import run as run_controller
    from .settings import ControllerSettings

    try:
        about = controller.__doc__ or ""
        found = settings.parse([ControllerSettings], argv, os.environ, "kmcp-suite controller", about)
        given = cast("ControllerSettings", found[ControllerSettings])
        logs.configure(given.log_level)
        # What was imported never goes; thousands of stored objects are no garbage, and looking for some took an eighth.
        gc.freeze()
        gc.set_threshold(10_000, 20, 20)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run_controller(given))
    except (OSError, settings.SettingsError, InvalidDocumentError, ToolFailure) as error:
        print(f"kmcp-suite controller: {error}", file=sys.stderr)
        return 1
    return 0


def _parsed(file: Path, platform: Platform) -> list[Any]:
    """Every manifest of a file; or the faults of the first that has any, with their lines."""
    servers = []
    for where, found in _manifests([file]):
        try:
            servers.append(parse(found.data, platform))
        except RefusedError as error:
            raise RefusedError(error.faults, found.lines, where) from None
    return servers


def _manifests(files: Sequence[Path] | Iterator[Path]) -> Iterator[tuple[str, Document]]:
    for file in files:
        for found in documents(file.read_text(), str(file)):
            if isinstance(found.data, dict) and found.data.get("kind") == KIND:
                yield str(file), found
            else:
                print(f"{file}: a document that is no {KIND} is ignored", file=sys.stderr)


def _files(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is no folder of manifests")
    return iter(sorted(file for file in folder.iterdir() if file.suffix in (".yaml", ".yml")))


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _suite_image(parser: argparse.ArgumentParser) -> None:
    text = "prefix of repositories that hold the suite's images, beside kmcp; may be repeated"
    parser.add_argument("--suite-image", action="append", default=[], metavar="PREFIX", help=text)


def _port(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; give 1 to 65535")
    return int(text)


def _loopback(text: str) -> str:
    if text != "localhost" and not ipaddress.ip_address(text).is_loopback:
        raise argparse.ArgumentTypeError(f"{text} is no loopback address; the suite runs here without authentication")
    return text
