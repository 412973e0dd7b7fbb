"""`kmcp-suite up`: the suite on this machine, in the foreground, in the background, or as a service of the system."""

import argparse
import asyncio
import itertools
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kmcp_controller.local.instances import Instance, Log, State, StateError
from kmcp_controller.local.ports import PortInUseError, listen
from kmcp_controller.local.suite import Options, Suite
from kmcp_controller.local.up import up as run
from kmcp_runtime import command
from kmcp_runtime.endings import INTERRUPTED
from kmcp_runtime.publishing import PublishingError, published
from kmcp_runtime.urls import is_loopback
from kmcp_runtime.version import VERSION

from .instances import END_SECONDS
from .manifests import data_of, read_manifests
from .shared import add_suite_image, installed_servers, print_notes, read_catalog
from .units import UNITS

_READY_SECONDS = 300.0
_PAUSE = 0.1


def up(argv: Sequence[str]) -> int:
    """Run the suite on this machine until Ctrl-C, or in the background."""
    given = _parser().parse_args(argv)
    if fault := _shared_port(given):
        return _fail(ValueError(fault))
    if given.unit:
        return _print_unit(argv, given)
    names, missing = installed_servers()
    try:
        options = Options(
            host=given.host,
            port=given.port,
            management_port=given.management_port,
            catalog_port=given.catalog_port,
            secrets=given.secrets,
            suite_images=(published().image_prefix, *given.suite_image),
            installed=names,
            missing={name: _install(name, libraries) for name, libraries in missing.items()},
            ending="`kmcp-suite down` ends it." if _is_detached() else "Ctrl-C ends it.",
        )
    except PublishingError as error:
        return _fail(error)
    if given.detach:
        return _detach(argv, options)
    return start(given.catalog, given.manifests, options)


def _shared_port(given: argparse.Namespace) -> str:
    """Which two ports are one: each would be taken by whoever comes first, and the other started again for ever."""
    ports = {"--port": given.port, "--management-port": given.management_port, "--catalog-port": given.catalog_port}
    for one, other in itertools.combinations(ports, 2):
        if ports[one] == ports[other]:
            return f"{one} and {other} are both {ports[one]}: give each a port of its own"
    return ""


def _print_unit(argv: Sequence[str], given: argparse.Namespace) -> int:
    try:
        print(UNITS[given.unit](_of_service(argv, given)), end="")
    except ValueError as error:  # a property list takes no control characters
        return _fail(ValueError(f"a setting of this shell cannot stand in a file for {given.unit}: {error}"))
    return 0


def start(catalog: Path | None, folder: Path | None, options: Options) -> int:
    """Run a catalog (None: of what is installed) and a folder of manifests until a signal; the exit code."""
    try:
        found = read_catalog(catalog)
        manifests = [dict(each) for each in _local(folder)] if folder else []
        with kept(options) as (logged, ready):
            return asyncio.run(run(found, manifests, logged, ready))
    except (OSError, PortInUseError, ValueError) as error:
        return _fail(error)


def _fail(error: Exception) -> int:
    print(f"kmcp-suite up: {error}", file=sys.stderr)
    return 1


@contextmanager
def kept(options: Options) -> Iterator[tuple[Options, Callable[[Suite], None]]]:
    """While it runs, `status`, `logs` and `down` know of it. Without a place for state it runs all the same.

    Errors: PortInUseError when a suite runs at this port already.
    """
    instance = Instance(options.port)
    try:
        if not instance.acquire():
            raise PortInUseError(_running_already(instance))
        metrics = (f"{options.url(options.management_port)}/metrics",)
        state = State(os.getpid(), VERSION, _now(), options.host, options.port, options.catalog_port, metrics=metrics)
        instance.write(state)
    except StateError as error:
        instance.release()
        print(f"up: {error}; `kmcp-suite status`, `logs` and `down` do not know of this run", file=sys.stderr)
        yield options, lambda suite: None
        return
    log = Log(instance)

    def output(name: str, line: str) -> None:
        if sys.stderr.isatty() or not _is_detached():
            print(line, file=sys.stderr)
        if fault := log.write(name, line):
            print(f"up: {fault}", file=sys.stderr)

    def ready(suite: Suite) -> None:
        try:
            found = dict.fromkeys(f"{each.management}/metrics" for each in suite.servers if each.management)
            instance.write(replace(state, ready=True, metrics=tuple(found) or metrics))
        except StateError as error:
            print(f"up: {error}", file=sys.stderr)

    try:
        yield replace(options, output=output), ready
    finally:
        instance.release()


def _detach(argv: Sequence[str], options: Options) -> int:
    """Start the same in the background, show its progress, and return when every server has answered or cannot."""
    instance = Instance(options.port)
    try:
        # What a killed one left is gone before it could be taken for the word of the new one.
        if not instance.acquire():
            raise PortInUseError(_running_already(instance))
        instance.release()
        instance.check_room()
        pairs = ((options.catalog_port, "--catalog-port"), (options.port, "--port"))
        for port, option in (*pairs, (options.management_port, "--management-port")):
            listen(options.host, port, option).close()
        program = [sys.executable, "-m", "kmcp_runtime.commands", "up", *_without(argv, "--detach")]
        process = command.start_detached(program, env={**os.environ, _DETACHED: "1"}, log=instance.output)
    except (OSError, StateError, PortInUseError) as error:
        return _fail(error)
    try:
        return _wait_until_ready(instance, process)
    except KeyboardInterrupt:
        # Of a suite that nobody was told about, nothing stays.
        _end(instance, process)
        print("kmcp-suite up: interrupted; the suite that was starting is ended", file=sys.stderr)
        return INTERRUPTED


def _end(instance: Instance, process: command.Detached) -> None:
    """As `down` does, but also before it has a state; a second Ctrl-C does not wait for it."""
    process.terminate()
    deadline = time.monotonic() + END_SECONDS
    while process.poll() is None:
        if time.monotonic() > deadline:
            process.kill()
        time.sleep(_PAUSE)
    if instance.acquire():  # nobody else has begun
        instance.release()


def _wait_until_ready(instance: Instance, process: command.Detached) -> int:
    """The exit code of `--detach`: 0 only when this very process has said that it is ready, and lives."""
    deadline, shown = time.monotonic() + _READY_SECONDS, 0
    while time.monotonic() < deadline:
        state = instance.state()
        code = process.poll()
        shown = _show_new(instance, shown, whole=code is not None)
        if code is not None:
            print(f"kmcp-suite up: it ended: {command.ended(code)}", file=sys.stderr)
            return 1
        if state is not None and state.ready and state.pid == process.pid:
            print("it runs in the background: kmcp-suite status, kmcp-suite logs -f, kmcp-suite down")
            return 0
        time.sleep(_PAUSE)
    print(
        f"kmcp-suite up: it is still starting after {_READY_SECONDS:.0f} s and goes on in the background: "
        "kmcp-suite status and kmcp-suite logs -f show how, kmcp-suite down ends it",
        file=sys.stderr,
    )
    return 1


_DETACHED = "KMCP_SUITE_DETACHED"


def _is_detached() -> bool:
    return os.environ.get(_DETACHED) == "1"


def _show_new(instance: Instance, shown: int, whole: bool) -> int:
    """Print what the supervisor has printed since; how much that is by now. `whole`: it will print nothing more."""
    text = instance.output.read_bytes()
    # A line that is still being written comes with the next look.
    end = len(text) if whole else text.rfind(b"\n") + 1
    sys.stdout.write(text[shown:end].decode(errors="replace"))
    sys.stdout.flush()
    return max(end, shown)


def _running_already(instance: Instance) -> str:
    state = instance.state()
    who = f" (process {state.pid}, since {state.started})" if state else ""
    return (
        f"a suite runs at port {instance.port} already{who}: `kmcp-suite status` shows it, `kmcp-suite down` ends it; "
        "or choose other ports with --port, --management-port and --catalog-port"
    )


def _install(name: str, libraries: Sequence[str]) -> str:
    return f"{', '.join(libraries)} {'is' if len(libraries) == 1 else 'are'} absent; {published().install_hint(name)}"


def _of_service(argv: Sequence[str], given: argparse.Namespace) -> list[str]:
    """The arguments of a service, which starts in another folder than this one: its paths are absolute."""
    paths = {"--catalog": given.catalog, "--manifests": given.manifests, "--secrets": given.secrets}
    kept = _without(argv, "--unit", "--detach", *paths)
    return kept + [word for flag, path in paths.items() if path for word in (flag, str(path.absolute()))]


def _without(argv: Sequence[str], *flags: str) -> list[str]:
    """The arguments without these flags and their values; `--detach` has none."""
    kept, words = list[str](), iter(argv)
    for word in words:
        name = word.partition("=")[0]
        if name in flags:
            if name != "--detach" and "=" not in word:
                next(words, None)
            continue
        kept.append(word)
    return kept


def _local(folder: Path) -> list[Mapping[str, Any]]:
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is not a folder")
    files = sorted(str(file) for file in folder.iterdir() if file.suffix in (".yaml", ".yml"))
    found = read_manifests(files, elsewhere=True)
    print_notes(found)
    return data_of(found)


def _parser() -> argparse.ArgumentParser:
    # No abbreviations: what is handed on to the background is found by its whole name.
    parser = argparse.ArgumentParser("kmcp-suite up", description=up.__doc__, allow_abbrev=False)
    parser.add_argument("--catalog", type=Path, help="a catalog file (default: of the installed servers)")
    parser.add_argument("--manifests", type=Path, help="folder of further MCPServers and RemoteMCPServers")
    parser.add_argument("--secrets", type=Path, help="folder of <Secret>/<key> files that manifests refer to")
    parser.add_argument("--host", type=_loopback, default="127.0.0.1", help="loopback address (default: %(default)s)")
    parser.add_argument("--port", type=_port, default=8080, help="MCP, all servers (default: %(default)s)")
    parser.add_argument("--management-port", type=_port, default=8081, help="health, metrics (default: %(default)s)")
    parser.add_argument("--catalog-port", type=_port, default=8082, help="catalog (default: %(default)s)")
    parser.add_argument("--detach", action="store_true", help="run in the background; see status, logs and down")
    text = "print the file of a user's service that runs it at login"
    parser.add_argument("--unit", choices=sorted(UNITS), help=text)
    add_suite_image(parser)
    return parser


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _port(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; use 1 to 65535")
    return int(text)


def _loopback(text: str) -> str:
    if not is_loopback(text):
        raise argparse.ArgumentTypeError(
            f"{text} is not a loopback address, and the suite runs here without authentication"
        )
    return text
