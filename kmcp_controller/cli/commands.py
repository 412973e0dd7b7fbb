"""The controller's subcommands of `kmcp-suite`: `plan`, `preflight` and `controller`."""

import argparse
import asyncio
import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from kmcp_controller.preview.planner import Planner, open_cluster
from kmcp_controller.preview.preflight import list_findings
from kmcp_controller.reconcile.options import Options as Reconciling
from kmcp_controller.render import Surroundings, render
from kmcp_controller.spec import MCPServer, Platform
from kmcp_controller.spec.catalog_entry import entry_of
from kmcp_controller.spec.model import API_VERSION, KIND
from kmcp_runtime import settings, yaml_text
from kmcp_runtime.catalog import InvalidDocumentError
from kmcp_runtime.errors import ToolFailure
from kmcp_runtime.publishing import PublishingError, published

from .manifests import read_manifests
from .shared import add_suite_image, print_notes, read_catalog

_ASSUMED = "assumed: references exist, no autoscaler, no Pod Security label on the namespace, RemoteMCPServer is served"


class _RefusedError(Exception):
    """Says all that is wrong with the manifests, a line each."""


def plan(argv: Sequence[str]) -> int:
    """Print the objects that a manifest becomes, without a cluster; or also what they would change in one."""
    parser = argparse.ArgumentParser("kmcp-suite plan", description=plan.__doc__)
    text = "file or folder of MCPServer manifests, or - for standard input; may be repeated"
    parser.add_argument("-f", "--filename", action="append", required=True, help=text)
    parser.add_argument("-R", "--recursive", action="store_true", help="read the folders below a folder, too")
    parser.add_argument("--diff", action="store_true", help="compare with a cluster by dry runs; nothing is stored")
    _cluster(parser)
    given = parser.parse_args(argv)
    try:
        options = _options(given)
        servers = _read_servers(given, options.platform)
        objects = [each for server in servers for each in _rendered(server, options)]
        print(_ASSUMED, file=sys.stderr)
        sys.stdout.write(yaml_text.write_all(objects, width=120, explicit_start=True))
        return asyncio.run(_print_differences(servers, options, given)) if given.diff else 0
    except (OSError, InvalidDocumentError, PublishingError, _RefusedError, ToolFailure) as error:
        print(error, file=sys.stderr)
        return 1


def _read_servers(given: argparse.Namespace, platform: Platform) -> list[MCPServer]:
    """Every manifest that is named. Errors: _RefusedError with the faults of all of them."""
    found = read_manifests(given.filename, given.recursive)
    print_notes(found)
    servers = found.servers(platform)
    if found.refused:
        raise _RefusedError("\n".join(map(str, found.refused)))
    if not servers:
        names = ", ".join(given.filename)
        raise _RefusedError(f"{names}: holds no {KIND}; write one of {API_VERSION}")
    return servers


async def _print_differences(servers: Sequence[MCPServer], options: Reconciling, given: argparse.Namespace) -> int:
    """As comments, so that what is printed stays YAML; 1 when something would be refused."""
    refused = False
    async with open_cluster(given.kubeconfig, given.context) as cluster:
        planner = Planner(cluster, options)
        for server in servers:
            async for line in planner.list_changes(await planner.read_server(server)):
                print(f"# {line}")
                refused = refused or line.startswith("!")
    return int(refused)


def preflight(argv: Sequence[str]) -> int:
    """List what would stop or change when this controller takes over the MCPServers of a cluster; only reads."""
    parser = argparse.ArgumentParser("kmcp-suite preflight", description=preflight.__doc__)
    parser.add_argument("--namespace", action="append", default=[], help="may be repeated (default: all)")
    _cluster(parser)
    given = parser.parse_args(argv)
    try:
        return asyncio.run(_print_findings(given, _options(given)))
    except (OSError, InvalidDocumentError, PublishingError, ToolFailure) as error:
        print(f"kmcp-suite preflight: {error}", file=sys.stderr)
        return 1


async def _print_findings(given: argparse.Namespace, options: Reconciling) -> int:
    count = 0
    async with open_cluster(given.kubeconfig, given.context) as cluster:
        async for line in list_findings(cluster, options, given.namespace or [None]):
            print(line)
            count += 1
    print(f"{count} findings. Tools of images that are not the suite's are known only once they run.", file=sys.stderr)
    return 0


def controller(argv: Sequence[str]) -> int:
    """Run the controller in a cluster until a signal."""
    # kopf and aiohttp are an extra, which the other subcommands do without.
    import uvloop

    from kmcp_controller.program.catalog_sources import SourceError
    from kmcp_controller.program.run import run as run_controller
    from kmcp_controller.program.settings import ControllerSettings
    from kmcp_controller.telemetry import logs

    try:
        about = controller.__doc__ or ""
        found = settings.parse([ControllerSettings], argv, os.environ, "kmcp-suite controller", about)
        given = cast("ControllerSettings", found[ControllerSettings])
        logs.configure(given.log_level)
        # What was imported stays, and thousands of stored objects are not garbage: looking for some took an eighth of
        # the time.
        gc.freeze()
        gc.set_threshold(10_000, 20, 20)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run_controller(given))
    except (OSError, settings.SettingsError, SourceError, ToolFailure) as error:
        print(f"kmcp-suite controller: {error}", file=sys.stderr)
        return 1
    return 0


def _cluster(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kubeconfig", default=os.environ.get("KUBECONFIG", ""), help="default: KUBECONFIG")
    parser.add_argument("--context", help="of the kubeconfig (default: its current one)")
    text = "the catalog, for what the suite's images need (default: of the installed servers)"
    parser.add_argument("--catalog", type=Path, help=text)
    add_suite_image(parser)


def _options(given: argparse.Namespace) -> Reconciling:
    """A controller's, as far as the command line knows them; what a platform may forbid is allowed."""
    platform = Platform(
        suite_images=(published().image_prefix, *given.suite_image), server_roles=("bind", "derive"), allow_block=True
    )
    return Reconciling(platform=platform, entries=read_catalog(given.catalog).servers)


def _rendered(server: MCPServer, options: Reconciling) -> list[dict[str, Any]]:
    entry = entry_of(server, options.entries, options.platform)
    return render(server, options.platform, Surroundings(entry=entry))
