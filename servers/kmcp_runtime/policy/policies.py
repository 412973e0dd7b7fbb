"""The policy of a process: read at start, read again when its files change, and the last good one until then."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kmcp_runtime.catalog import Effect
from kmcp_runtime.declaration import ToolSpec
from kmcp_runtime.errors import did_you_mean
from kmcp_runtime.policy.guard import (
    CallOfTool,
    Guard,
    Note,
    known_arguments,
    open_arguments,
    possible_effects,
    resource_of,
)
from kmcp_runtime.policy.questions import CLOCK, Principal
from kmcp_runtime.policy.reading import PolicyError, files_of, mentioned, read_files, read_rules
from kmcp_runtime.policy.rules import RuleSet
from kmcp_runtime.policy.tool_schema import Vocabulary
from kmcp_runtime.settings import SettingsError
from kmcp_runtime.stamps import Stamp, stamp_of
from kmcp_runtime.worker import run_in_thread

log = logging.getLogger("kmcp.policy")
SETTING = "--policy / KMCP_POLICY"
_MOST_TOLD = 20
_KEPT_LISTS = 20_000


@dataclass
class Loaded:
    """The rules of one reading, and which tools they leave to whom."""

    rules: RuleSet
    effects: OrderedDict[tuple[Any, ...], frozenset[Effect]] = field(default_factory=OrderedDict)


class Policies:
    """Refuses to start with a policy that cannot be used; while running, such a one changes nothing."""

    def __init__(
        self,
        path: Path,
        tools: Mapping[str, Sequence[ToolSpec]],
        installed: frozenset[str],
        contact: str = "",
        approvals: tuple[str, ...] = ("asked", "token"),
    ) -> None:
        """`tools` are those of the servers of this process, `installed` the names of all servers that there are.

        Errors: `SettingsError`, with every fault and its place.
        """
        self.path, self.contact = path, contact
        self._approvals = approvals
        self._tools = tools
        self._installed = installed
        self._reading = asyncio.Lock()
        self._stamp = stamp(path)
        try:
            self._loaded = self._read()
        except PolicyError as error:
            raise SettingsError(f"{SETTING}: {error}") from None

    async def current(self) -> Loaded:
        """The rules as the files have them now."""
        # At each call: a few stats take microseconds, and a right that was taken away must not live on.
        if stamp(self.path) != self._stamp:
            async with self._reading:
                await self._read_again()
        return self._loaded

    async def _read_again(self) -> None:
        found = stamp(self.path)
        if found == self._stamp:
            return  # Another call has read it meanwhile.
        try:
            loaded = await run_in_thread(self._read)
        except PolicyError as error:
            # Once for each change of the files, so that a policy which stays broken is reported once.
            log.error("the policy cannot be used, so the last good one stays in force: %s", error)
        else:
            self._loaded = loaded
            log.info("the policy was read again: %d rules", len(loaded.rules.rules))
        self._stamp = found

    def _read(self) -> Loaded:
        sources = read_files([self.path])
        actions, servers = mentioned(sources, "Action"), mentioned(sources, "Server")
        here = {tool.name for tools in self._tools.values() for tool in tools}
        # Servers elsewhere may share this policy, so their names are no fault; `policy check` knows them all.
        others = (self._installed | servers) - set(self._tools)
        is_alone = not self._installed - set(self._tools)
        foreign = frozenset[str]() if is_alone else actions - here - set(self._tools) - others
        for name in sorted(foreign)[:_MOST_TOLD]:
            near = did_you_mean(name, here)
            told = log.warning if near else log.info
            told(
                "rules of the policy name the tool %s, which is not of this process%s",
                name,
                f": {near}" if near else "",
            )
        return Loaded(read_rules(sources, Vocabulary(self._tools, foreign, others)))

    def guard(
        self,
        loaded: Loaded,
        server: str,
        tool: ToolSpec,
        principal: Principal,
        arguments: Mapping[str, Any],
        at_doors: bool,
        note: Note,
    ) -> Guard:
        """The policy for one call with these arguments, by what `current` has answered."""
        rules = loaded.rules
        words = rules.words(principal.names(), server, tool.name)
        call = CallOfTool(
            server,
            tool.name,
            principal,
            resource_of(tool, arguments, at_doors),
            known_arguments(arguments, words),
            bool(arguments.get("dry_run")),
            self._approvals,
            at_doors,
        )
        return Guard(rules, call, self.contact, note)

    async def effects(
        self, loaded: Loaded, server: str, tool: ToolSpec, principal: Principal, at_doors: bool
    ) -> frozenset[Effect]:
        """The effects that calls of a tool by this caller may have; empty when it may never be called."""
        words = loaded.rules.words(principal.names(), server, tool.name)
        now = datetime.now(UTC)
        minute = now.strftime("%Y-%m-%dT%H:%M") if words & CLOCK else ""
        key = (principal, server, tool.name, frozenset(tool.arguments.model_fields), minute)
        found = loaded.effects.get(key)
        if found is None:
            # A list asks this for every tool at once: others are answered in between.
            await asyncio.sleep(0)
            fields = tool.arguments.model_fields
            resource = resource_of(tool, {}, at_doors)
            call = CallOfTool(
                server,
                tool.name,
                principal,
                resource,
                open_arguments(tool, words),
                "dry_run" in fields and "dry_run" in words,
                self._approvals,
                at_doors,
                now,
            )
            possible = {tool.effect, tool.worst, *(tool.by.effects.values() if tool.by else ())}
            found = loaded.effects[key] = possible_effects(loaded.rules, call, possible)
            while len(loaded.effects) > _KEPT_LISTS:
                loaded.effects.popitem(last=False)
        return found


def stamp(path: Path) -> tuple[tuple[str, Stamp | None], ...] | None:
    """What changes with the files of a policy; None where they cannot be looked at."""
    try:
        return tuple((str(each), stamp_of(each)) for each in files_of(path))
    except OSError:
        return None
