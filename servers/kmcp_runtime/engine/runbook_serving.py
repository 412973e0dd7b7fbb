"""Runbooks as MCP serves them: prompts, and skills as resources and by the methods of the extension (SEP-2640).

A runbook is shown where every server whose tools it names is in this process, and within what the caller's scopes and
address leave of them. It is public text: which of the tools a caller may call is decided when he calls them.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import mcp_types
from fastmcp import FastMCP
from fastmcp.prompts import Prompt, PromptResult
from fastmcp.prompts.base import PromptArgument
from fastmcp.resources import Resource, TextResource
from fastmcp.server.extensions import MethodBinding, ServerExtension
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.server.providers import Provider
from fastmcp.skills import GetSkillResult, ListSkillsResult, Skill, SkillFrontmatter, SkillResource
from fastmcp.skills._constants import SKILLS_EXTENSION_ID
from fastmcp.skills.models import GetSkillParams, ListSkillsParams
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import PrivateAttr

from kmcp_runtime.engine import grants
from kmcp_runtime.errors import ToolFailure, suggesting
from kmcp_runtime.runbooks.reading import Runbook, runbooks_of
from kmcp_runtime.runbooks.wording import prompt_text, skill_front, skill_text
from kmcp_runtime.server import Server

EXTENSIONS: dict[str, dict[str, Any]] = {SKILLS_EXTENSION_ID: {}}
"""What is declared beside prompts and resources."""
_LONGEST_ECHO = 64


def serve(mcp: FastMCP[Any], servers: Sequence[Server]) -> mcp_types.ServerCapabilities:
    """Add the runbooks of these servers; what the process can do now. Errors: SettingsError for a faulty file."""
    found = runbooks_of(servers)
    capabilities = mcp_types.ServerCapabilities(tools=mcp_types.ToolsCapability())
    if not found:
        return capabilities
    mcp.add_provider(_Shelf(found))
    mcp.add_middleware(_Asked(found))
    mcp.add_extension(_Skills(found))
    capabilities.prompts = mcp_types.PromptsCapability()
    capabilities.resources = mcp_types.ResourcesCapability()
    capabilities.extensions = EXTENSIONS
    return capabilities


def prompt_of(runbook: Runbook) -> Prompt:
    arguments = [
        PromptArgument(name=each.name, description=each.description, required=each.required)
        for each in runbook.arguments
    ]
    prompt = _Prompt(name=runbook.name, title=runbook.title, description=runbook.description, arguments=arguments)
    prompt._runbook = runbook
    return prompt


def resource_of(runbook: Runbook) -> Resource:
    return TextResource(
        uri=runbook.uri,
        name=runbook.name,
        title=runbook.title,
        description=runbook.description,
        mime_type="text/markdown",
        text=skill_text(runbook),
    )


class _Prompt(Prompt):
    _runbook: Runbook = PrivateAttr()

    async def render(self, arguments: dict[str, Any] | None = None) -> PromptResult:
        text = prompt_text(self._runbook, arguments or {})
        return PromptResult(text, description=self.description)


class _Shelf(Provider):
    """What the framework lists and finds."""

    def __init__(self, found: Sequence[Runbook]) -> None:
        super().__init__()
        self._found = found

    async def _list_prompts(self) -> list[Prompt]:
        return [prompt_of(each) for each in _shown(self._found)]

    async def _list_resources(self) -> list[Resource]:
        return [resource_of(each) for each in _shown(self._found)]


class _Asked(Middleware):
    """Refuses what is not there, or is asked for wrongly, in words that help."""

    def __init__(self, found: Sequence[Runbook]) -> None:
        self._found = found

    async def on_get_prompt(
        self,
        context: MiddlewareContext[mcp_types.GetPromptRequestParams],
        call_next: CallNext[mcp_types.GetPromptRequestParams, PromptResult],
    ) -> PromptResult:
        name, names = context.message.name, [each.name for each in _shown(self._found)]
        if name not in names:
            raise _invalid(suggesting(f"no prompt {name[:_LONGEST_ECHO]!r}", name[:_LONGEST_ECHO], names))
        try:
            runbook = next(each for each in self._found if each.name == name)
            # Before the framework renders it, which logs what a renderer raises as a fault of ours.
            prompt_text(runbook, context.message.arguments or {})
        except ToolFailure as failure:
            raise _invalid(f"{failure.message} ({failure.hint})" if failure.hint else failure.message) from None
        return await call_next(context)

    async def on_read_resource(
        self,
        context: MiddlewareContext[mcp_types.ReadResourceRequestParams],
        call_next: CallNext[mcp_types.ReadResourceRequestParams, Any],
    ) -> Any:
        _find(self._found, str(context.message.uri))
        return await call_next(context)


class _Skills(ServerExtension):
    """`skills/list` and `skills/get`, of the revision that has extensions."""

    identifier = SKILLS_EXTENSION_ID

    def __init__(self, found: Sequence[Runbook]) -> None:
        self._found = found

    def methods(self) -> Sequence[MethodBinding]:
        versions = frozenset(MODERN_PROTOCOL_VERSIONS)
        return (
            MethodBinding("skills/list", ListSkillsParams, self._list, versions),
            MethodBinding("skills/get", GetSkillParams, self._get, versions),
        )

    async def _list(self, _: Any, params: ListSkillsParams) -> ListSkillsResult:
        if params.cursor:
            raise _invalid("cursor: the list has one page")
        return ListSkillsResult(skills=[_entry(each) for each in _shown(self._found)])

    async def _get(self, _: Any, params: GetSkillParams) -> GetSkillResult:
        return GetSkillResult(skill=_entry(_find(self._found, params.uri)))


def _entry(runbook: Runbook) -> Skill:
    content = skill_text(runbook).encode()
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    resource = SkillResource(uri=runbook.uri, digest=digest, size=len(content))
    return Skill(uri=runbook.uri, frontmatter=SkillFrontmatter(skill_front(runbook)), resources=[resource], _meta=None)


def _shown(found: Sequence[Runbook]) -> list[Runbook]:
    """Those that this caller may see."""
    grant = grants.current()
    if not grant.effects and not grant.lists:
        return []
    return [each for each in found if grant.servers is None or grant.servers.issuperset(each.servers)]


def _find(found: Sequence[Runbook], uri: str) -> Runbook:
    shown = {each.uri: each for each in _shown(found)}
    if uri not in shown:
        raise _invalid(suggesting(f"no resource {uri[:_LONGEST_ECHO]!r}", uri[:_LONGEST_ECHO], shown))
    return shown[uri]


def _invalid(message: str) -> MCPError:
    return MCPError(code=mcp_types.INVALID_PARAMS, message=message)
