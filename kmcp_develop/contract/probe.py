"""Asking a server: by a real MCP client, in both revisions, over stdio or HTTP.

Only what says that it reads is called: without the arguments that it requires, which must fail, or, where it requires
none, as it is. Nothing else is safe to try on a server that one does not know.
"""

import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from fastmcp import Client
from fastmcp.client.transports import ClientTransport, StdioTransport, StreamableHttpTransport

from kmcp_runtime.foreign.schema_forms import schema_fault

from .report import Finding, Report
from .rules import check_list, leaks, tokens

Mode = Literal["auto", "legacy"]
_LARGEST_ANSWER = 400_000
"""Characters: about what fills the context of a model."""


class UnreachableError(Exception):
    """Says what could not be started or reached."""


@dataclass(frozen=True)
class Target:
    """Where a server is: a URL, or a command in a folder."""

    name: str
    url: str = ""
    command: tuple[str, ...] = ()
    folder: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)

    def transport(self, planted: str, log: Path) -> ClientTransport:
        """`planted` is a secret of the server's environment, which it may not tell; `log` gets its stderr."""
        if self.url:
            return StreamableHttpTransport(self.url, headers=dict(self.headers))
        env = {**os.environ, **self.env, "KMCP_CONTRACT_PLANTED": planted}
        return StdioTransport(
            self.command[0], list(self.command[1:]), env=env, cwd=self.folder, keep_alive=False, log_file=log
        )


async def probe(target: Target, budget: int, seconds: float) -> Report:
    """The whole report. Errors: UnreachableError when the server cannot be asked at all."""
    with tempfile.TemporaryDirectory() as folder:
        return await _probe(target, budget, seconds, Path(folder) / "stderr")


async def _probe(target: Target, budget: int, seconds: float, log: Path) -> Report:
    report = Report(target.name)
    planted = secrets.token_hex(16)
    lists: dict[Mode, list[dict[str, Any]]] = {}
    for mode in ("auto", "legacy"):
        try:
            lists[mode] = await _ask(target, mode, report, (planted, log), seconds)
        except Exception as error:  # a foreign server may fail in any way, and each is a finding
            if mode == "auto":
                raise UnreachableError(f"{target.name}: {_reason(error)}{_last_words(log)}") from error
            report.findings.append(Finding("connects", "error", f"the handshake of 2025 fails: {_reason(error)}"))
    names = {mode: sorted(str(tool.get("name")) for tool in found) for mode, found in lists.items()}
    if len(names) == 2 and names["auto"] != names["legacy"]:
        report.findings.append(Finding("connects", "error", "the two revisions list different tools"))
    tools = lists["auto"]
    report.tools, report.tokens = len(tools), sum(map(tokens, tools))
    report.findings += check_list(tools, budget)
    return report


async def _ask(
    target: Target, mode: Mode, report: Report, place: tuple[str, Path], seconds: float
) -> list[dict[str, Any]]:
    planted, log = place
    async with Client(target.transport(planted, log), mode=mode, timeout=seconds, init_timeout=seconds) as client:
        tools = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in await client.list_tools()]
        version = _revision(client)
        if version not in report.revisions:
            report.revisions.append(version)
        if mode == "auto":  # what it answers is the same in both
            said = [repr(tools)]
            report.findings += [finding async for finding in _calls(client, tools, said)]
            if any(planted in text for text in said):
                report.findings.append(Finding("leaks", "error", "it tells a secret of its environment"))
            # The client drops what a dead server would have said: this fails when a call has ended it.
            await client.list_tools()
        return tools


def _last_words(log: Path) -> str:
    """What a program wrote to stderr before it ended, as far as one wants to read it."""
    lines = log.read_text(errors="replace").strip().splitlines() if log.is_file() else []
    return "".join(f"\n  {line[:300]}" for line in lines[-3:])


def _revision(client: "Client[Any]") -> str:
    found = getattr(client, "protocol_version", None)
    if found is None and client.initialize_result is not None:
        found = client.initialize_result.protocol_version
    return str(found or "unknown")


async def _calls(client: "Client[Any]", tools: Sequence[Mapping[str, Any]], said: list[str]) -> Any:
    unknown = "kmcp_contract_no_such_tool"
    async for finding in _fails(client, unknown, "a tool that does not exist is called without a failure", said):
        yield finding
    for tool in tools:
        if (tool.get("annotations") or {}).get("readOnlyHint") is not True:
            continue
        name, required = str(tool["name"]), (tool.get("inputSchema") or {}).get("required") or ()
        if required:
            text = f"called without {', '.join(map(str, required))} it answers no failure"
            async for finding in _fails(client, name, text, said):
                yield finding
        else:
            for finding in await _result(client, tool, said):
                yield finding


async def _fails(client: "Client[Any]", name: str, text: str, said: list[str]) -> Any:
    try:
        answer = await client.call_tool(name, {}, raise_on_error=False)
        told, failed = str(answer.content), answer.is_error
    except Exception as error:  # JSON-RPC errors come so
        told, failed = str(error), True
    said.append(told)
    if not failed:
        yield Finding("errors", "error", text, name)
    for finding in leaks(told, name):
        yield finding


async def _result(client: "Client[Any]", tool: Mapping[str, Any], said: list[str]) -> list[Finding]:
    name, schema = str(tool["name"]), tool.get("outputSchema")
    try:
        answer = await client.call_tool(name, {}, raise_on_error=False)
    except Exception as error:  # the client refuses what the schema forbids; which is the finding
        return [Finding("results", "error", f"its answer cannot be read: {_reason(error)}", name)]
    told = str(answer.content)
    said.append(told + repr(answer.structured_content))
    found = list(leaks(told, name))
    if len(told) > _LARGEST_ANSWER:
        found.append(Finding("results", "warning", f"its answer has {len(told)} characters: bound it", name))
    if not answer.is_error and schema and not schema_fault(schema):
        found += [Finding("results", "error", fault, name) for fault in _unfit(answer.structured_content, schema)]
    return found


def _unfit(content: Any, schema: Mapping[str, Any]) -> Iterator[str]:
    if not isinstance(content, Mapping):
        yield "it has an outputSchema and answers no structuredContent"
        return
    if absent := [name for name in schema.get("required") or () if name not in content]:
        yield f"its answer lacks {', '.join(absent)}, which outputSchema requires"


def _reason(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return (str(error).strip() or type(error).__name__)[:300]
