"""The policy of a process: read at start, read again when its files change, and the last good one until then."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
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
from kmcp_runtime.policy.reading import PolicyError, files_of, mentioned, read_files, read_rules, unknown_arguments
from kmcp_runtime.policy.rules import RuleSet
from kmcp_runtime.policy.statements import Fault
from kmcp_runtime.policy.tool_schema import Vocabulary
from kmcp_runtime.settings import SettingsError
from kmcp_runtime.stamps import Stamp, stamp_of
from kmcp_runtime.worker import run_in_thread

log = logging.getLogger("kmcp.policy")
SETTING = "--policy / KMCP_POLICY"
_MOST_TOLD = 20
_KEPT_LISTS = 20_000
_TURNS = 5
Stamps = tuple[tuple[str, Stamp | None], ...] | None


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
        outside: Callable[[], frozenset[str]] | None = None,
    ) -> None:
        """`tools` are those of the servers of this process, `installed` the names of all servers that there are.

        `outside` tells the names of the foreign servers that are behind this process now; None where none can be.

        Errors: `SettingsError`, with every fault and its place.
        """
        self.path, self.contact = path, contact
        self._approvals = approvals
        self._tools = tools
        self._installed = installed
        self._outside = outside
        self._reading = asyncio.Lock()
        self._stamp, found = self._read_whole()
        if isinstance(found, PolicyError):
            raise SettingsError(f"{SETTING}: {found}")
        self._loaded = found

    async def current(self) -> Loaded:
        """The rules as the files have them now."""
        # At each call: a few stats take microseconds, and a right that was taken away must not live on.
        if stamp(self.path) != self._stamp:
            async with self._reading:
                await self._read_again()
        return self._loaded

    async def _read_again(self) -> None:
        if stamp(self.path) == self._stamp:
            return  # Another call has read it meanwhile.
        self._stamp, found = await run_in_thread(self._read_whole)
        if isinstance(found, PolicyError):
            # Once for each change of the files, so that a policy which stays broken is reported once.
            log.error("the policy cannot be used, so the last good one stays in force: %s", found)
        else:
            self._loaded = found
            log.info("the policy was read again: %d rules", len(found.rules.rules))

    def _read_whole(self) -> tuple[Stamps, Loaded | PolicyError]:
        """The rules or their faults, and what changes with the files that they are of."""
        for _ in range(_TURNS):
            before = stamp(self.path)
            try:
                found: Loaded | PolicyError = self._read()
            except PolicyError as error:
                found = error
            # A mounted ConfigMap is exchanged as one: half of the old and half of the new are nobody's policy.
            if stamp(self.path) == before:
                return before, found
        return before, PolicyError([Fault(str(self.path), 1, 1, "it changes again and again while it is read")])

    def _read(self) -> Loaded:
        sources = read_files([self.path])
        actions, servers = mentioned(sources, "Action"), mentioned(sources, "Server")
        here = {tool.name for tools in self._tools.values() for tool in tools}
        # Servers elsewhere may share this policy, so their names are no fault; `policy check` knows them all.
        others = (self._installed | servers) - set(self._tools)
        is_alone = not self._installed - set(self._tools)
        foreign = frozenset[str]() if is_alone else actions - here - set(self._tools) - others
        _tell(foreign, here, self._outside() if self._outside else frozenset())
        vocabulary = Vocabulary(self._tools, foreign, others, self._outside is not None)
        rules = read_rules(sources, vocabulary)
        for fault in unknown_arguments(rules.rules, vocabulary)[:_MOST_TOLD]:
            log.warning("of the tools of this process, %s; unknown is whether a foreign server's has it", fault)
        return Loaded(rules)

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
        possible = frozenset({tool.effect, tool.worst, *(tool.by.effects.values() if tool.by else ())})
        key = (principal, server, tool.name, frozenset(tool.arguments.model_fields), possible, minute)
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
            found = loaded.effects[key] = possible_effects(loaded.rules, call, possible)
            while len(loaded.effects) > _KEPT_LISTS:
                loaded.effects.popitem(last=False)
        return found


def _tell(foreign: frozenset[str], here: set[str], outside: frozenset[str]) -> None:
    """Say which names of tools are not of this process; a foreign server's are known when it lists them."""
    of_outside = {name for name in foreign if any(name == each or name.startswith(f"{each}_") for each in outside)}
    for name in sorted(of_outside - outside)[:_MOST_TOLD]:
        log.info("rules of the policy name the tool %s, of a foreign server: unknown is whether it lists it", name)
    for name in sorted(foreign - of_outside)[:_MOST_TOLD]:
        near = did_you_mean(name, here)
        told = log.warning if near else log.info
        more = f": {near}" if near else ""
        told("rules of the policy name the tool %s, which is not of this process%s", name, more)


def stamp(path: Path) -> Stamps:
    """What changes with the files of a policy; None where they cannot be looked at."""
    try:
        return tuple((str(each), stamp_of(each)) for each in files_of(path))
    except OSError:
        return None
