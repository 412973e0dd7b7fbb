"""`kmcp-suite connect`: the configuration of a client on stdout, what to do with it and how a trial went on stderr."""

import argparse
import asyncio
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from kmcp_runtime import yaml_text
from kmcp_runtime.catalog import CLIENTS, Connection, InvalidDocumentError, ServerEntry, deep_link, short_name
from kmcp_runtime.commands import complain
from kmcp_runtime.durations import time_limit
from kmcp_runtime.entries import installed
from kmcp_runtime.errors import suggesting
from kmcp_runtime.publish import LOCAL_URL

from . import bundle, files, kagent
from .addresses import checked
from .choosing import Choice, ChoiceError, choose
from .handshake import Outcome, shake_hands
from .suite_wheel import WheelError

_KAGENT = "kagent"
_BUNDLE = "mcpb"
_LOCAL_SECONDS = 3.0  # for a suite on this machine, which answers at once or is not there
_PROGRAM = "kmcp-suite connect"


def main(argv: Sequence[str]) -> int:
    """Print a client's configuration, or write it into the client's file, and try it."""
    given = _parser().parse_args(argv)
    try:
        entries = _entries()
    except (OSError, InvalidDocumentError) as error:
        return complain(str(error), _PROGRAM)
    for name in given.server:
        if name not in entries:
            return complain(suggesting(f"no server {name!r}", name, entries), _PROGRAM)
    try:
        _check_options(given)
        if given.client == _KAGENT:
            return _connect_kagent(given)
        chosen = {name: entries[name] for name in given.server or entries}
        return _bundle(given, chosen) if given.client == _BUNDLE else _connect(given, chosen)
    except (ChoiceError, files.UnusableFileError, WheelError) as error:
        return complain(str(error), _PROGRAM)


def _check_options(given: argparse.Namespace) -> None:
    """Refuse options that would do nothing. Errors: ChoiceError."""
    if given.out and given.client != _BUNDLE:
        raise ChoiceError(
            f"--out is the file of a bundle, with {_BUNDLE}: for {given.client} leave it out{_into(given)}"
        )
    if given.file and not given.write and given.client in CLIENTS:
        raise ChoiceError("--file is where --write writes: add --write, or leave --file out")


def _into(given: argparse.Namespace) -> str:
    return "; --write --file writes a file" if given.client in CLIENTS else ""


def _entries() -> dict[str, ServerEntry]:
    """The installed servers by their short names, in the order of their ports.

    By the shipped catalog: the code of every server takes seconds, and libraries that need not be here.
    """
    found = sorted(installed().servers.items(), key=lambda each: each[1].transport.port)
    return {short_name(name): entry for name, entry in found}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(_PROGRAM, description=main.__doc__, allow_abbrev=False)
    parser.add_argument("client", choices=[*CLIENTS, _KAGENT, _BUNDLE])
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--stdio", action="store_true", help="the client starts the server itself")
    how.add_argument(
        "--url", type=_url, help=f"where the suite is served (default: {LOCAL_URL}/mcp where one answers, else --stdio)"
    )
    parser.add_argument("--server", action="append", default=[], metavar="NAME", help="only this one; may be repeated")
    text = "variable that holds the bearer token for --url; its name is written, not its value"
    parser.add_argument("--token-env", metavar="NAME", help=text)
    parser.add_argument("--reveal", action="store_true", help="write values of tokens and other secrets, too")
    parser.add_argument("--write", action="store_true", help="into the client's file, beside what is there")
    parser.add_argument("--file", type=Path, help="another file than the client's own; with --write")
    parser.add_argument("--out", type=Path, help=f"file of the bundle, with {_BUNDLE} (default: {bundle.FILE})")
    parser.add_argument("--no-test", dest="test", action="store_false", help="do not try it")
    parser.add_argument(
        "--timeout", type=time_limit, default=60.0, help="seconds for the trial (default: %(default).0f)"
    )
    return parser


def _url(text: str) -> str:
    parts = urlsplit(checked(text))
    return text if parts.path.strip("/") else text.rstrip("/") + "/mcp"


def _connect(given: argparse.Namespace, entries: Mapping[str, ServerEntry]) -> int:
    url = given.url
    if url is None and not given.stdio and given.client != "claude-desktop" and _answers(f"{LOCAL_URL}/mcp"):
        url = f"{LOCAL_URL}/mcp"
    choice = choose(given, entries, url, os.environ)
    if given.write:
        path = given.file or files.place_of(given.client, os.environ)
        written = files.write(given.client, choice.connections, path)
        backup = f"; before: {written.backup}" if written.backup else ""
        print(f"wrote {written.path}{backup}" if written.changed else f"{written.path}: nothing to change")
    else:
        sys.stdout.write(CLIENTS[given.client].text(choice.connections))
        sys.stdout.flush()
        _explain(given.client, choice)
    for note in choice.notes:
        _say(note)
    return _test(choice.connections, given.timeout) if given.test else 0


def _explain(client: str, choice: Choice) -> None:
    _say(f"this belongs into {files.place_of(client, os.environ)}; --write puts it there")
    for each in choice.connections:
        if line := _one_line(client, each):
            _say(f"or: {line}")
        if link := deep_link(client, each):
            _say(f"or open: {link}")


def _one_line(client: str, each: Connection) -> str:
    """The client's own command that adds the server; empty where it has none."""
    if client not in ("claude-code", "codex") or each.token or each.bearer:  # a header would be in the shell's history
        return ""
    entry = CLIENTS[client].entry(each)
    if entry.get("env_vars"):  # Codex hands variables on, which its command cannot say
        return ""
    values = [word for name, value in entry.get("env", {}).items() for word in ("--env", f"{name}={value}")]
    if client == "codex":
        what = ["--url", each.url] if each.url else [*values, "--", *each.command]
        return shlex.join(["codex", "mcp", "add", each.name, *what])
    # The transport comes behind the variables: Claude Code takes what follows --env as a further one.
    kind, what = ("http", [each.name, each.url]) if each.url else ("stdio", [each.name, "--", *each.command])
    return shlex.join(["claude", "mcp", "add", *values, "--transport", kind, *what])


def _answers(url: str) -> bool:
    (outcome,) = asyncio.run(shake_hands((Connection("kmcp", url),), {}, _LOCAL_SECONDS))
    return not outcome.fault


def _test(connections: tuple[Connection, ...], seconds: float) -> int:
    return max(map(_report, asyncio.run(shake_hands(connections, os.environ, seconds))), default=0)


def _bundle(given: argparse.Namespace, entries: Mapping[str, ServerEntry]) -> int:
    if given.write or given.stdio or given.url or given.file or given.reveal or given.token_env:
        raise ChoiceError(f"{_BUNDLE} writes a bundle that Claude Desktop installs: give --out and --server alone")
    path = given.out or Path(bundle.FILE)
    try:
        bundle.write(path, entries)
    except OSError as error:
        raise ChoiceError(f"{path} cannot be written: {error.strerror}") from None
    print(f"wrote {path}")
    form = ", ".join(field["title"] for field in bundle.asked(entries).values())
    _say(f"Claude Desktop installs it by a double click, with a form for: {form}")
    if not given.test:
        return 0
    with bundle.started_by(path) as trial:
        return _test((trial,), given.timeout)


def _connect_kagent(given: argparse.Namespace) -> int:
    if given.write or given.stdio or given.server or given.file or given.reveal:
        raise ChoiceError("kagent is connected by a resource: pipe what is printed into `kubectl apply -f -`")
    url = given.url or kagent.COMPOSED
    body = kagent.tool_server(url)
    sys.stdout.write(yaml_text.write(body).rstrip("\n") + "\n")
    sys.stdout.flush()
    name = kagent.TOOL_SERVER
    _say(f"for agents of the namespace {kagent.NAMESPACE} that name the RemoteMCPServer {name}, as kagent's own do")
    secret = (
        f"kubectl -n {kagent.NAMESPACE} create secret generic {kagent.SECRET} --from-literal=authorization='Bearer …'"
    )
    _say(f"its token: {secret}")
    if not given.test:
        return 0
    trial = Connection(name, body["spec"]["url"], token=given.token_env)
    # The address in the cluster is mostly not there for whoever calls this.
    seconds = given.timeout if given.url else min(given.timeout, _LOCAL_SECONDS)
    (outcome,) = asyncio.run(shake_hands((trial,), os.environ, seconds))
    if outcome.fault and not given.url:
        _say(f"not tested: {url} is an address in the cluster; with --url and `kubectl port-forward` it can be")
        return 0
    return _report(outcome)


def _report(outcome: Outcome) -> int:
    _say(f"tested: {outcome}")
    return int(bool(outcome.fault))


def _say(text: str) -> None:
    print(f"connect: {text}", file=sys.stderr)
