"""A server with its settings: the tools that it offers, its backend, and what one process shares among servers."""

import asyncio
import importlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from kmcp_runtime import distributions, redaction
from kmcp_runtime.audit.opening import open_trail
from kmcp_runtime.audit.refusals import Refusals
from kmcp_runtime.call import Call
from kmcp_runtime.catalog.model import TOOL_NAME
from kmcp_runtime.declaration import ToolSpec
from kmcp_runtime.engine.approval import Approvals
from kmcp_runtime.engine.grants import Grant
from kmcp_runtime.engine.rates import Rates
from kmcp_runtime.engine.sealing import Seal
from kmcp_runtime.engine.single_use import UsedInProcess, UsedTokens
from kmcp_runtime.engine.telemetry import Metrics
from kmcp_runtime.errors import ToolFailure, bad_argument, denied, did_you_mean, suggesting, unavailable
from kmcp_runtime.instant import choice
from kmcp_runtime.publishing import published
from kmcp_runtime.server import Backend, Server
from kmcp_runtime.settings import RuntimeSettings, Settings, SettingsError
from kmcp_runtime.worker import run_in_thread

if TYPE_CHECKING:
    from kmcp_runtime.policy.policies import Policies


@dataclass(frozen=True)
class Process:
    """What the servers of one process share."""

    runtime: RuntimeSettings
    metrics: Metrics
    approvals: Approvals
    refusals: Refusals
    policies: "Policies | None"
    """What callers may do within their scopes; None where these alone decide."""
    rates: Rates

    @classmethod
    def of(cls, runtime: RuntimeSettings, servers: Sequence[Server] = ()) -> "Process":
        key = runtime.state_key.get_secret_value() if runtime.state_key else None
        # Replicas with one key show the same mark for the same value, so each understands the marks of the others.
        redaction.use_key(key)
        seal = Seal(key)
        rates = Rates(runtime.rate_limits)
        if runtime.rate_limits and not runtime.door_servers:  # which may have any
            rates.check_names([tool.name for server in servers for tool in server.tools()])
        approvals = Approvals(runtime.approval, seal, _used_tokens(runtime, seal))
        policies = _policies(runtime, servers)
        metrics = Metrics()
        return cls(runtime, metrics, approvals, Refusals(open_trail(runtime, metrics.audit)), policies, rates)


class ConfiguredServer:
    """A server that can be called.

    Its tools are imported when one of them is wanted, where their names are known without: those of nine servers take
    as long as the engine, and the first call needs those of one.
    """

    def __init__(self, server: Server, settings: Settings, process: Process) -> None:
        self.server = server
        self.name = server.name
        self.settings = settings
        _learn_own(settings)
        _learn_own(process.runtime)
        self.process = process
        self.runtime = process.runtime
        self.metrics = process.metrics
        self.approvals = process.approvals
        self.refusals = process.refusals
        self.trail = process.refusals.trail
        self.policies = process.policies
        self.rates = process.rates
        self._extra = server.extra_arguments(settings)
        self._left_out = server.left_out(settings)
        self._loading = threading.Lock()
        self._loaded: tuple[Mapping[str, ToolSpec], Mapping[str, ToolSpec]] | None = None
        self._prepared = choice.tool_names(server)
        if self._prepared is None:
            self._load()
        self._slots = asyncio.Semaphore(self.runtime.concurrency)
        self._backend: Backend | None = None
        self._users = 0
        self._stack = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._open_late: Callable[[], Awaitable[None]] | None = None

    def offer(self, every: Iterable[ToolSpec], tools: Mapping[str, ToolSpec]) -> None:
        """Take `tools` in place of those that are called now; `every` are those that there are."""
        self._loaded = ({declared.name: declared for declared in every}, dict(tools))

    @property
    def names(self) -> Collection[str]:
        """Of all tools that the server has, offered here or not; known before they are loaded."""
        return self._loaded[0] if self._loaded else self._prepared or ()

    @property
    def is_loaded(self) -> bool:
        return self._loaded is not None

    @property
    def tools(self) -> Mapping[str, ToolSpec]:
        """Those that are offered, by name; `load` before, as an import on the event loop would hold others up."""
        return self._load()[1]

    async def load(self) -> None:
        """Have the tools at hand, and their backend. Errors: whatever their modules or its opening raise."""
        if self._loaded is None:
            await run_in_thread(self._load)
        if self._open_late:
            await self._open_late()

    def _load(self) -> tuple[Mapping[str, ToolSpec], Mapping[str, ToolSpec]]:
        with self._loading:
            if self._loaded is None:
                every = {declared.name: declared for declared in self.server.tools()}
                kept = [declared for name, declared in every.items() if name not in self._left_out]
                found = {each.name: each.with_arguments(self._extra) for each in offered(kept, self.runtime)}
                self._loaded = (every, found)
            return self._loaded

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["ConfiguredServer"]:
        """Hold the backend open; several servers of a process may share one instance."""
        # `/mcp` and `/<server>/mcp` are two applications over this instance: the first opens it, the last closes it.
        async with self._opening:
            if self._users == 0:
                self._backend = await self._stack.enter_async_context(self.server.open(self.settings))
            self._users += 1
        try:
            yield self
        finally:
            async with self._opening:
                self._users -= 1
                if self._users == 0:
                    self._backend = None
                    await self._stack.aclose()

    @asynccontextmanager
    async def opened_late(self) -> AsyncIterator["ConfiguredServer"]:
        """Hold the backend open from the first `load` on: what it imports, no other server's call waits for."""
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        ready: asyncio.Future[None] = loop.create_future()
        # What is open must be closed by the task that opened it, and calls are tasks of their own.
        keeping: asyncio.Task[None] | None = None

        async def keep() -> None:
            try:
                async with self.opened():
                    ready.set_result(None)
                    await ended.wait()
            except Exception as error:
                if ready.done():
                    raise
                ready.set_exception(error)

        async def open_late() -> None:
            nonlocal keeping
            keeping = keeping or asyncio.create_task(keep())
            await asyncio.shield(ready)

        self._open_late = open_late
        try:
            yield self
        finally:
            self._open_late = None
            ended.set()
            if keeping:
                await keeping

    @property
    def backend(self) -> Backend:
        if self._backend is None:
            raise unavailable(f"the {self.name} server is not open")
        return self._backend

    def shown_to(self, grant: Grant) -> dict[str, str]:
        """The tools that hints of the runtime may name to a caller, by what they show: those that he has."""
        showing = (found for found in self.tools.values() if found.shows)
        return {str(found.shows): found.name for found in showing if grant.narrowed(self.name, found) is not None}

    def backend_slot(self) -> asyncio.Semaphore:
        return self._slots

    def provided(self, wanted: Mapping[str, type], call: Call) -> dict[str, Any]:
        provided = {Call: call, **self.backend.provide(call)} if wanted else {}
        return {parameter: provided[kind] for parameter, kind in wanted.items()}

    def refusal(self, tool: str) -> ToolFailure | None:
        """Why a tool of this server cannot be called although it exists."""
        every, tools = self._load()
        if tool not in every or tool in tools:
            return None
        if self.runtime.read_only and every[tool].read_only() is None:
            return denied(f"{tool} changes something and this server is read-only (KMCP_READ_ONLY)")
        if tool in self._left_out:
            return unavailable(f"{tool} exists only when {every[tool].when}")
        return denied(f"{tool} is switched off on this server (KMCP_TOOLS, KMCP_EXTRAS)")

    def whole(self, tool: str) -> ToolSpec:
        """A tool as its server declares it, of which a read-only server or caller may have a part."""
        return self._load()[0][tool]


def offered(tools: Iterable[ToolSpec], runtime: RuntimeSettings) -> list[ToolSpec]:
    """Those that the settings leave, in the form that they leave them in."""
    names = runtime.tool_names()
    kept = [found for found in tools if (names is None or found.name in names) and (runtime.extras or not found.extra)]
    if not runtime.read_only:
        return kept
    return [reading for reading in (found.read_only() for found in kept) if reading is not None]


def check_tool_names(servers: Iterable[Server], runtime: RuntimeSettings) -> None:
    """Refuse a tool filter that names what no server has: a typo there would silently offer less."""
    wanted = runtime.tool_names()
    if not wanted:
        return
    known = {declared.name for server in servers for declared in server.tools()}
    for name in wanted:
        if name not in known and not runtime.door_servers:  # whose tools are not known yet
            raise SettingsError(suggesting(f"--tools / KMCP_TOOLS: no tool {name!r}", name, known))


async def load_all(instances: Iterable[ConfiguredServer]) -> None:
    """Have the tools of every server at hand."""
    for instance in list(instances):
        await instance.load()


async def is_offered(name: str, instances: Iterable[ConfiguredServer]) -> bool:
    """Whether one of the servers offers the tool; no more of them are loaded than it takes to know."""
    found = list(instances)
    for instance in found:
        if name in instance.names:
            await instance.load()
            if name in instance.tools:
                return True
    # What was prepared may be older than the modules, where somebody is writing a tool.
    await load_all(found)
    return any(name in instance.tools for instance in found)


def check_collisions(instances: Iterable[ConfiguredServer]) -> None:
    """Refuse servers that have a tool of the same name: a call could mean either."""
    having: dict[str, str] = {}
    for instance in instances:
        for name in instance.names:
            other = having.setdefault(name, instance.name)
            if other != instance.name:
                raise SettingsError(
                    f"the servers {other} and {instance.name} both have a tool {name!r}: "
                    "serve them in processes of their own"
                )


_FINDING = "tools/list names the tools; where it has search_tools, that finds those which it leaves out"


def unknown_tool(name: str, instances: Iterable[ConfiguredServer]) -> ToolFailure:
    refusals = (instance.refusal(name) for instance in instances)
    refusal = next((found for found in refusals if found is not None), None)
    if refusal is not None:
        return refusal
    if not TOOL_NAME.fullmatch(name):
        # Not repeated: it may be any text, as long as a request.
        return bad_argument("no tool has this name: it is 1 to 64 letters, digits, _ and -", _FINDING)
    known = [tool for instance in instances for tool in instance.tools]
    return bad_argument(f"no tool {name!r}", did_you_mean(name, known) or _FINDING)


FOREIGN = "foreign"
"""In a policy the server that stands for all those whose names are not known yet: rules may name any of their tools."""
_WAYS = {"plan": ("asked", "token"), "ask": ("asked",), "off": ("off",)}
"""How a call may come to its yes, by KMCP_APPROVAL."""


def _policies(runtime: RuntimeSettings, servers: Sequence[Server]) -> "Policies | None":
    if not runtime.policy:
        return None
    try:
        # By name: without a policy its library is not loaded, and need not be there.
        policies = importlib.import_module("kmcp_runtime.policy.policies")
    except ModuleNotFoundError as error:
        if error.name != "cedarpy":
            raise
        hint = published().install_hint("policy")
        raise SettingsError(f"--policy / KMCP_POLICY needs cedarpy: {hint}") from None
    tools = {server.name: server.tools() for server in servers}
    installed = frozenset(distributions.server_points())
    if runtime.door_servers:
        installed |= {FOREIGN}
    ways, outside = _WAYS[runtime.approval], _outside(runtime)
    found: Policies = policies.Policies(Path(runtime.policy), tools, installed, runtime.policy_contact, ways, outside)
    return found


def _outside(runtime: RuntimeSettings) -> Callable[[], frozenset[str]] | None:
    """Tells the names of the foreign servers that their file has at the moment; None where there is no file."""
    if not runtime.door_servers:
        return None
    file = Path(runtime.door_servers)
    # By name: most processes have no foreign server, and load nothing of them.
    servers_file = importlib.import_module("kmcp_runtime.foreign.servers_file")

    def names() -> frozenset[str]:
        try:
            return frozenset(servers_file.read_servers(file))
        except servers_file.FileError:
            return frozenset()  # whoever serves them says what is wrong with it

    return names


def _used_tokens(runtime: RuntimeSettings, seal: Seal) -> UsedTokens:
    if runtime.approval_ledger == "process":
        return UsedInProcess(seal)
    if runtime.state_key is None:
        raise SettingsError(
            "--approval-ledger / KMCP_APPROVAL_LEDGER: lease shares approvals among replicas, which needs their common "
            "key in KMCP_STATE_KEY"
        )
    # By name: a server that notes nothing in a cluster must not load what speaks to one.
    ledger: UsedTokens = importlib.import_module("kmcp_runtime.approval_leases").open_ledger(runtime.approval_namespace)
    return ledger


def _learn_own(settings: Settings | RuntimeSettings) -> None:
    """The process's own credentials are known, wherever they come back."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            redaction.learn(value.get_secret_value())
