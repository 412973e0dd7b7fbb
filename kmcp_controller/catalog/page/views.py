"""What the templates are given, and the templates themselves."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from kmcp_runtime.catalog import CLIENTS, Connection, deep_link
from kmcp_runtime.counting import counted

from .console_form import form_of
from .finding import EFFECTS, STATES, Described, Found, Query
from .next_steps import troubles_of
from .schemas import example_of, fields_of

FOLDER = Path(__file__).parent
STATIC = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
HEADERS = {
    # Nothing but our own style and script: text of a server that slips through cannot run, load or send anything.
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
MOST = 100
"""Servers or tools in one table: beyond that a browser is slow to lay them out, and nobody reads them."""
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e0fff]")
_MATCHES = {"Matched": "good", "Drift": "bad", "BreakingDrift": "bad", "Blocked": "bad"}


@dataclass(frozen=True)
class Setup:
    """A client's configuration for some servers."""

    id: str
    title: str
    text: str
    link: str


def overview(
    servers: Sequence[Described], found: Found, query: Query, setups: Sequence[Setup], *, local: bool, part: bool
) -> str:
    """First what is not well of all servers, then what the query found of them."""
    shown = servers if query.is_empty() else ()
    troubled = [(each, troubles) for each in shown if (troubles := troubles_of(each, local))]
    return _render(
        "overview.html",
        part,
        query=query,
        found=found,
        all=servers,
        troubled=troubled,
        setups=setups,
    )


def server_page(server: Described, setups: Sequence[Setup], *, local: bool, start: int, part: bool) -> str:
    """One server with its tools from `start` on."""
    return _render(
        "server.html",
        part,
        query=Query(),
        server=server,
        troubles=troubles_of(server, local),
        setups=setups,
        start=start,
    )


def tool_page(server: Described, tool: Described, *, console: bool, part: bool) -> str:
    """One tool: arguments, an example, a form that calls it where there is a console, result, effect, rights."""
    call = {"name": tool["name"], "arguments": example_of(tool["inputSchema"])}
    return _render(
        "tool.html",
        part,
        query=Query(),
        server=server,
        tool=tool,
        arguments=fields_of(tool["inputSchema"]),
        results=fields_of(tool["outputSchema"]),
        call=_json(call),
        unseen=_unseen(tool),
        form=form_of(tool) if console else None,
    )


def setups_of(connections: Sequence[Connection], prefix: str) -> list[Setup]:
    """For each client; `prefix` tells the ways apart, such as `http`."""
    if not connections:
        return []
    # Where a client takes commands only, an address needs a program that this page knows nothing of.
    known = {name: each for name, each in CLIENTS.items() if each.url or not connections[0].url}
    return [
        Setup(
            f"{prefix}-{name}",
            client.title,
            client.text(connections),
            deep_link(name, connections[0]) if len(connections) == 1 else "",
        )
        for name, client in known.items()
    ]


def static(name: str) -> bytes | None:
    """One of STATIC; None for another."""
    return (FOLDER / "static" / name).read_bytes() if name in STATIC else None


def _render(template: str, part: bool, **given: Any) -> str:
    return _environment().get_template(template).render(base="part.html" if part else "base.html", **given)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"effects": EFFECTS, "states": STATES, "most": MOST, "versions": _versions()}
    made.filters |= {
        "count": counted,
        "json": _json,
        "quoted": lambda text: json.dumps(text, ensure_ascii=False),
        "summary": _summary,
        "ticks": _ticks,
        "unquoted": lambda text: json.loads(text) if text.startswith('"') else text,
        "match": lambda reason: _MATCHES.get(reason, "plain"),
        "effect_class": lambda effect: effect if effect in EFFECTS else "plain",
        "server_path": lambda server: (
            f"/servers/{quote(server['namespace'], safe='')}/{quote(server['name'], safe='')}"
        ),
        # A tool's name may be anything, and browsers take `..` in a path for a step.
        "tool_path": lambda tool: f"tool?name={quote(tool['name'], safe='')}",
    }
    return made


def _versions() -> dict[str, str]:
    """A digest of each file, so that browsers keep it until it changes."""
    return {name: hashlib.sha256(static(name) or b"").hexdigest()[:12] for name in STATIC}


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _summary(text: str, longest: int = 220) -> str:
    """The first sentences of a description, for a row."""
    line = " ".join(text.split())
    return line if len(line) <= longest else line[:longest].rsplit(" ", 1)[0] + " …"


def _ticks(text: str) -> Markup:
    """What stands between backticks as code; all of it escaped."""
    return Markup(re.sub("`([^`]*)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704  # escaped just before


def _unseen(tool: Mapping[str, Any]) -> int:
    """Characters that people do not see and models read."""
    return len(_UNSEEN.findall(json.dumps([tool["description"], tool["inputSchema"]], ensure_ascii=False)))
