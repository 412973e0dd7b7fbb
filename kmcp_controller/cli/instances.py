"""`kmcp-suite status`, `logs` and `down`: of the suites that run on this machine."""

import argparse
import json
import re
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from kmcp_controller.local.instances import Instance, instances, read_log
from kmcp_runtime.catalog import short_name
from kmcp_runtime.counting import counted
from kmcp_runtime.distributions import server_points
from kmcp_runtime.endings import INTERRUPTED
from kmcp_runtime.heartbeat import Heartbeat

_SHARED = "suite"
NOT_RUNNING = 3
"""Exit code, as that of `systemctl status`."""
END_SECONDS = 30.0
"""Given to a suite to end by itself."""
_PAUSE = 0.2


def status(argv: Sequence[str]) -> int:
    """Show the suites that run on this machine, and each server of theirs."""
    parser = argparse.ArgumentParser("kmcp-suite status", description=status.__doc__)
    parser.add_argument("--json", action="store_true", help="as JSON")
    given = parser.parse_args(argv)
    running = [_describe(each) for each in instances() if each.is_running()]
    if given.json:
        print(json.dumps(running, indent=2))
    elif running:
        print("\n\n".join(map(_text, running)))
    else:
        print("no suite runs on this machine; kmcp-suite up starts one")
    return 0 if running else NOT_RUNNING


def _describe(instance: Instance) -> dict[str, Any]:
    state = instance.state()
    found: dict[str, Any] = {"port": instance.port, "state": "starting", "servers": []}
    if state is None:
        return found
    found |= {"pid": state.pid, "version": state.version, "started": state.started, "catalog": state.catalog + "/"}
    try:
        # Never through a proxy: it is this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{state.catalog}/catalog.json", timeout=10) as answer:
            servers = json.load(answer)["servers"]
    except (OSError, ValueError, KeyError) as error:
        return found | {"state": f"its catalog does not answer: {error}"}
    kept = ("namespace", "name", "ready", "reason", "message", "toolCount", "url")
    found["servers"] = [{key: server[key] for key in kept} | {"unlisted": _unlisted(server)} for server in servers]
    return found | {"state": "running" if state.ready else "starting"}


def _text(found: dict[str, Any]) -> str:
    about = f", process {found['pid']}, version {found['version']}, since {found['started']}" if "pid" in found else ""
    lines = [f"port {found['port']}: {found['state']}{about}"]
    if "catalog" in found:
        lines.append(f"catalog: {found['catalog']}")
    width = max((len(server["name"]) for server in found["servers"]), default=0)
    for server in found["servers"]:
        state = "Ready" if server["ready"] else f"not ready, {server['reason']}: {server['message']}"
        why = f", {server['unlisted']}" if server["unlisted"] else ""
        lines.append(f"  {server['name']:{width}}  {counted(server['toolCount'], 'tool'):>9}  {state}{why}")
    return "\n".join(lines)


def _unlisted(server: dict[str, Any]) -> str:
    """Why the server does not list its tools; empty where it does."""
    asked: dict[str, Any] = next((each for each in server["conditions"] if each["type"] == "ToolsDiscovered"), {})
    return f"{asked['reason']}: {asked['message']}" if asked.get("status") == "False" else ""


def logs(argv: Sequence[str]) -> int:
    """Show what the servers of a suite have logged."""
    parser = argparse.ArgumentParser("kmcp-suite logs", description=logs.__doc__)
    parser.add_argument("server", nargs="?", help="of this server alone, such as kubernetes")
    parser.add_argument("-f", "--follow", action="store_true", help="go on until Ctrl-C, or until the suite ends")
    parser.add_argument(
        "-n", "--lines", type=_count, default=200, help="the last lines that are kept (default: %(default)s)"
    )
    _add_port(parser)
    given = parser.parse_args(argv)
    found = _choose(given.port, [each for each in instances() if each.log.is_file()])
    if isinstance(found, str):
        return _fail("logs", found)
    known = _known({line.partition(" | ")[0] for line in read_log(found)})
    if given.server and short_name(given.server) not in known:
        return _fail("logs", f"no lines of {given.server!r}; there are lines of {', '.join(known) or 'nothing yet'}")
    try:
        for line in _lines(found, given.lines, given.follow):
            if not given.server or _is_of(line, given.server):
                print(line, flush=True)
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of lines; use 0 or more")
    return int(text)


def _known(names: Iterable[str]) -> list[str]:
    """Servers whose lines can be told apart; those of the suite share a process, which has a name of its own."""
    found = {short_name(name) for name in names}
    return sorted(found | set(server_points()) if _SHARED in found else found)


def _is_of(line: str, server: str) -> bool:
    """Servers of the suite share a process: of its lines those that name the server."""
    name, _, text = line.partition(" | ")
    own, short = short_name(name), short_name(server)
    return own == short or (own == _SHARED and re.search(rf"\b{re.escape(short)}\b", text) is not None)


def _lines(instance: Instance, last: int, follow: bool) -> Iterator[str]:
    yield from read_log(instance)[-last:] if last else []
    if not follow:
        return
    position, rest = instance.log.stat().st_size, b""
    while True:
        living = instance.is_running()
        size = instance.log.stat().st_size if instance.log.is_file() else 0
        if size < position:  # a new file was begun
            position = 0
        if size > position:
            with instance.log.open("rb") as file:
                file.seek(position)
                *whole, rest = (rest + file.read()).split(b"\n")
                position = file.tell()
            yield from (each.decode(errors="replace") for each in whole)
        elif not living:
            return
        else:
            time.sleep(_PAUSE)


def down(argv: Sequence[str]) -> int:
    """End the suites that run on this machine, with everything that they have started."""
    parser = argparse.ArgumentParser("kmcp-suite down", description=down.__doc__)
    _add_port(parser)
    given = parser.parse_args(argv)
    known = [each for each in instances() if given.port in (None, each.port)]
    running = [each for each in known if each.is_running()]
    for each in known:
        if each not in running and each.state() is not None:
            each.forget()
            print(f"port {each.port}: it ended without a word before; its log is kept: {each.log}")
    if not running:
        print("no suite runs on this machine" + (f" at port {given.port}" if given.port else ""))
        return 0
    return max([_end(each) for each in running])


def _end(instance: Instance) -> int:
    heartbeat = Heartbeat(lambda text: print(f"port {instance.port}: {text}", file=sys.stderr, flush=True))
    try:
        killed = instance.end(END_SECONDS, lambda: heartbeat.wait("its servers to end"))
    except PermissionError:
        return _fail("down", f"port {instance.port}: it belongs to another user; end it as that user")
    print(f"port {instance.port}: {f'killed after {END_SECONDS:.0f} s' if killed else 'ended'}")
    return 0


def _add_port(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, help="of its tools, where several run")


def _choose(port: int | None, found: Sequence[Instance]) -> Instance | str:
    chosen = [each for each in found if port in (None, each.port)]
    if not chosen:
        return "no suite has run here" + (f" at port {port}" if port else "") + "; kmcp-suite up starts one"
    living = [each for each in chosen if each.is_running()] or chosen
    if len(living) == 1:
        return living[0]
    return f"several run: choose one with --port {' or '.join(str(each.port) for each in living)}"


def _fail(program: str, text: str) -> int:
    print(f"kmcp-suite {program}: {text}", file=sys.stderr)
    return 1
