"""The catalog as a page to read: works without script, loads nothing. What servers say is escaped."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#1c1e21}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.3rem .6rem;"
    "border-bottom:1px solid #ddd;overflow-wrap:anywhere}td:first-child{width:19rem}"
    "th,td:nth-child(2){white-space:nowrap}"
    "code,pre{font:14px/1.4 ui-monospace,monospace}"
    "pre{background:#f4f5f7;padding:.8rem;overflow:auto}.no{color:#a3210b}.yes{color:#17682a}.may{color:#6b5900}"
    "summary{cursor:pointer}form{display:flex;flex-wrap:wrap;gap:.6rem 1rem;align-items:end;margin:1rem 0}"
    "label{display:grid;font-size:14px}input,select,button{font:inherit;padding:.2rem .4rem}"
    "h2{margin:1.8rem 0 .2rem}small{font-weight:normal}p{margin:.3rem 0}"
    "@media(max-width:44rem){table,tbody,tr,td{display:block}th{display:none}td,td:first-child{width:auto;border:0;"
    "padding:.1rem 0}tr{border-bottom:1px solid #ddd;padding:.4rem 0}}"
)
# The policy allows exactly this style and nothing else, so that text of a server that slips through cannot run.
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_EFFECTS = ("", "read", "write", "destroy")
_MOST = 50  # servers on one page: beyond that a browser is slow to lay out their schemas
_MATCHES = {"Matched": "yes", "Drift": "no", "BreakingDrift": "no", "Blocked": "no"}
Described = Mapping[str, Any]


@dataclass(frozen=True)
class Search:
    """What a reader looks for; parts of words in any case, everything where empty."""

    tool: str = ""
    server: str = ""
    effect: str = ""

    def tools(self, server: Described) -> list[Described]:
        words = self.tool.lower().split()
        return [
            tool
            for tool in server["tools"]
            if self.effect in ("", tool["effect"]) and all(word in _words(tool) for word in words)
        ]

    def finds(self, server: Described) -> bool:
        if self.server.lower() not in _place(server).lower():
            return False
        return bool(self.tools(server)) if self.tool or self.effect else True


def _words(tool: Described) -> str:
    return f"{tool['name']} {tool['title']} {tool['description']}".lower()


def page(servers: Sequence[Described], search: Search, clients: Mapping[str, Mapping[str, Any]]) -> str:
    """`clients`: title of a client's configuration to its content."""
    # What needs attention first; the order is kept among those that are ready, and among those that are not.
    found = sorted((server for server in servers if search.finds(server)), key=lambda server: bool(server["ready"]))
    shown = "".join(_server(server, search) for server in found[:_MOST])
    more = f"<p>{len(found) - _MOST} more servers match; narrow the search." if len(found) > _MOST else ""
    ready = sum(server["ready"] for server in servers)
    tools = sum(server["toolCount"] for server in servers)
    counts = f"{_count(len(servers), 'server')}, {ready} ready, {_count(tools, 'tool')}"
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>kmcp-suite catalog</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style><h1>Catalog</h1><p>{counts}"
        f"{_form(search)}{_overview(found[:_MOST])}{shown or '<p>Nothing matches.'}{more}"
        f"<h2>Connect a client</h2>{_clients(clients)}"
        '<p><a href="/catalog.json">catalog.json</a> · <a href="/v0.1/servers">registry</a>'
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _form(search: Search) -> str:
    options = "".join(
        f'<option value="{each}"{" selected" if each == search.effect else ""}>{each or "any"}</option>'
        for each in _EFFECTS
    )
    return (
        f'<form><label>Tool <input name="q" value="{escape(search.tool)}"></label>'
        f'<label>Server <input name="server" value="{escape(search.server)}"></label>'
        f'<label>Effect <select name="effect">{options}</select></label> <button>Show</button></form>'
    )


def _overview(servers: Sequence[Described]) -> str:
    """Which of several are not well, before all that they offer."""
    rows = "".join(
        f'<tr><td><a href="#{escape(_place(server))}">{escape(server["name"])}</a> {escape(server["namespace"])}'
        f"<td>{_state(server)}<td>{_count(server['toolCount'], 'tool')}"
        for server in servers
    )
    return f"<table>{rows}</table>" if len(servers) > 1 else ""


def _place(server: Described) -> str:
    return f"{server['namespace']}/{server['name']}"


def _state(server: Described) -> str:
    state, style = ("Ready", "yes") if server["ready"] else (f"not ready: {server['reason']}", "no")
    return f'<span class="{style}">{escape(state)}</span>'


def _server(server: Described, search: Search) -> str:
    rows = "".join(_tool(tool) for tool in search.tools(server))
    table = f"<table><tr><th>Tool<th>Effect<th>What it does{rows}</table>" if rows else ""
    message = "" if server["ready"] else f"<p>{escape(server['message'] or '')}"
    match = server["match"] or "NoReference"
    details = [_count(server["toolCount"], "tool"), _count(server["tokens"], "token")]
    details += ["listed some time ago"] if server["stale"] else []
    details += [f"without {', '.join(server['truncated'])}: too large"] if server.get("truncated") else []
    return (
        f'<h2 id="{escape(_place(server))}">{escape(server["name"])} <small>{escape(server["namespace"])} '
        f"{_state(server)}</small></h2>{message}"
        f"<p><code>{escape(server['url'])}</code> — {', '.join(details)}, catalog: "
        f'<span class="{_MATCHES.get(match, "may")}">{escape(match)}</span>'
        f"{_conditions(server)}{table}"
    )


def _conditions(server: Described) -> str:
    rows = "".join(
        f"<tr><td>{escape(each['type'])}<td>{escape(each['status'])}<td>{escape(each['reason'])}"
        f"<td>{escape(each['message'])}"
        for each in server["conditions"]
    )
    problems = "".join(f'<p class="no">{escape(problem)}' for problem in server["problems"])
    return f"{problems}<details><summary>Conditions</summary><table>{rows}</table></details>"


def _tool(tool: Described) -> str:
    parts = [("Arguments", tool["inputSchema"]), ("Result", tool["outputSchema"])]
    schemas = "".join(
        f"<details><summary>{title}</summary><pre>"
        f"{escape(json.dumps(schema, indent=1, ensure_ascii=False))}</pre></details>"
        for title, schema in parts
        if schema is not None
    )
    problems = "".join(f'<p class="no">{escape(problem)}' for problem in tool["problems"])
    return (
        f"<tr><td><code>{escape(tool['name'])}</code><td>{escape(tool['effect'])}<td>{escape(tool['description'])}"
        f"{problems}{schemas}"
    )


def _clients(clients: Mapping[str, Mapping[str, Any]]) -> str:
    return "".join(
        f"<details><summary>{escape(title)}</summary><pre>{escape(json.dumps(body, indent=2))}</pre></details>"
        for title, body in clients.items()
    )
