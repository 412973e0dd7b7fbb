"""Cilium as tools see it: its agents asked through their command line, on the node that a call means."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from kmcp_cilium import agents, faults, removals
from kmcp_cilium.agents import CONTAINER, AgentPod
from kmcp_cilium.answers import Answers
from kmcp_cilium.settings import CiliumSettings
from kmcp_runtime.call import Call
from kmcp_runtime.errors import Code, ToolFailure, timed_out, too_large, unavailable
from kmcp_runtime.instance import Backend
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.cluster import Cluster
from kmcp_runtime.kube.clusters import Clusters
from kmcp_runtime.kube.execution import Execution, execute
from kmcp_runtime.output.slices import Paged, sliced

Value = TypeVar("Value")
PROGRAM = "cilium-dbg"
OLD_PROGRAM = "cilium"
"""The name up to 1.14."""
AT_ONCE = 16
"""Agents that one server asks at the same time."""
SECONDS = 20.0
"""For one command."""
MARGIN_SECONDS = 3.0
"""Before a call's deadline, for the answer of what has been gathered."""
LARGEST = 48 << 20
_MISSING = 127


@dataclass
class Memory:
    """What does not change while an agent runs, by cluster and pod."""

    homes: dict[KubeApi, str] = field(default_factory=dict)
    versions: dict[tuple[str, str, str], str] = field(default_factory=dict)
    programs: dict[tuple[str, str, str], str] = field(default_factory=dict)
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))


@dataclass(frozen=True)
class Agent:
    """One Ready agent that can be asked."""

    api: KubeApi
    pod: AgentPod
    memory: Memory

    @property
    def node(self) -> str:
        return self.pod.node

    async def json(self, *words: str) -> Any:
        """The one JSON document that a command answers with `-o json`."""
        at = words.index("--") if "--" in words else len(words)
        words = (*words[:at], "-o", "json", *words[at:])
        return parsed(await self.text(*words), self._shown(words))

    async def json_or(self, codes: tuple[Code, ...], otherwise: Any, *words: str) -> Any:
        """The document, or `otherwise` where the agent fails with one of these codes: absence is an answer."""
        try:
            return await self.json(*words)
        except ToolFailure as failure:
            if failure.code not in codes:
                raise
            return otherwise

    async def text(self, *words: str, seconds: float = SECONDS) -> str:
        """What a command writes to its standard output."""
        gone = await self.removed(*words)
        if gone is not None:
            raise gone.failure(await self.version())
        ended = await self.run(PROGRAM, *words, seconds=seconds)
        stdout = ended.stdout.decode(errors="replace")
        if ended.exit_code != 0:
            raise self.failure(words, ended)
        if faults.is_help(stdout):
            raise faults.misunderstood(self._shown(words))
        return stdout

    async def removed(self, *words: str) -> removals.Removal | None:
        """Why this agent's version no longer has a command; None when it has it."""
        gone = removals.removal_of(words)
        if gone is None:
            return None
        version = removals.minor(await self.version())
        return gone if version is None or version >= gone.since else None

    async def version(self) -> str:
        """The agent's version, such as `1.19.5`; its program's where the agent does not answer."""
        if self.pod.key not in self.memory.versions:
            words = ("version", "-o", "json")
            told = parsed(await self.text(*words), self._shown(words))
            version = (told.get("Daemon") or {}).get("Version") or (told.get("Client") or {}).get("Version")
            self.memory.versions[self.pod.key] = str(version or "an unknown version")
        return self.memory.versions[self.pod.key]

    async def run(self, program: str, *words: str, seconds: float = SECONDS) -> Execution:
        """A program of the agent's container, ended; argv as given, no shell."""
        name = self.memory.programs.get(self.pod.key, program) if program == PROGRAM else program
        ended = await self._execute(name, words, seconds)
        if ended.exit_code == _MISSING and ended.problem and name == PROGRAM:
            self.memory.programs[self.pod.key] = OLD_PROGRAM
            ended = await self._execute(OLD_PROGRAM, words, seconds)
        if ended.problem:
            raise unavailable(f"{program} cannot be run {self.where}: {ended.problem}", self.look)
        return ended

    @property
    def where(self) -> str:
        return f"on node {self.node}, pod {self.pod.namespace}/{self.pod.name}"

    @property
    def look(self) -> str:
        """The call that shows the agent's log."""
        return f"k8s_get_pod_logs pod_name={self.pod.name} namespace={self.pod.namespace} container={CONTAINER}"

    async def _execute(self, program: str, words: tuple[str, ...], seconds: float) -> Execution:
        namespace, name = self.pod.namespace, self.pod.name
        async with self.memory.slots:
            ended = await execute(self.api, namespace, name, CONTAINER, (program, *words), None, seconds, LARGEST)
        if ended.timed_out:
            raise timed_out(
                f"`{program} {words[0]}` did not end within {seconds:.0f} s {self.where}", self.look,
                backend=faults.BACKEND,
            )  # fmt: skip
        if ended.truncated:
            raise too_large(f"`{program} {words[0]}` answered more than {LARGEST >> 20} MiB {self.where}")
        return ended

    def failure(self, words: tuple[str, ...], ended: Execution) -> ToolFailure:
        """What a command that ended with an error says, as a failure."""
        stdout, stderr = (stream.decode(errors="replace") for stream in (ended.stdout, ended.stderr))
        return faults.failed(self._shown(words), stdout, stderr, ended.exit_code, self.where, self.look)

    def _shown(self, words: tuple[str, ...]) -> str:
        return " ".join((PROGRAM, *words[:2]))


def parsed(text: str, command: str) -> Any:
    """A command's answer as data."""
    try:
        return json.loads(text)
    except ValueError:
        raise faults.unreadable(command, text) from None


@dataclass
class Cilium(Cluster):
    """Cilium of one cluster, for one call."""

    settings: CiliumSettings
    memory: Memory

    async def namespace(self) -> str:
        """Where Cilium runs, as configured or as found."""
        if self.settings.namespace:
            return self.settings.namespace
        if self.api not in self.memory.homes:
            self.memory.homes[self.api] = await agents.home(self.api)
        return self.memory.homes[self.api]

    async def pods(self) -> list[AgentPod]:
        """Every agent's pod, ready or not; `unavailable` when there is none."""
        namespace = await self.namespace()
        found = await agents.listed(self.api, namespace)
        if not found:
            self.memory.homes.pop(self.api, None)
            raise agents.absent(namespace)
        return found

    async def any_agent(self, node: str | None) -> Agent:
        """The agent of that node, or one of them: for facts that are the same on all nodes."""
        pods = await self.pods()
        return self._agent(agents.on_node(pods, node) if node else agents.first_ready(pods))

    async def one_agent(self, node: str | None) -> Agent:
        """The agent of that node; without a node the only one there is."""
        pods = await self.pods()
        return self._agent(agents.on_node(pods, node) if node else agents.only(pods))

    async def ready_agents(self, most: int) -> list[Agent]:
        """The first Ready agents, one a node."""
        return [self._agent(pod) for pod in _one_a_node(await self.pods()) if pod.ready][:most]

    async def everywhere(self, node: str | None, ask: Callable[[Agent], Awaitable[Value]]) -> Answers[Value]:
        """What the agent of that node, or each of them at once, answers; a partial answer is an answer.

        When nobody answers, the failure is that of the first node.
        """
        pods = await self.pods()
        chosen = [agents.on_node(pods, node)] if node else _one_a_node(pods)
        answers = await self.asked([self._agent(pod) for pod in chosen if pod.ready], ask)
        failures = {**answers.failures, **{pod.node: agents.not_ready(pod) for pod in chosen if not pod.ready}}
        if not answers.by_node:
            raise failures[min(failures)]
        return Answers(answers.by_node, failures)

    async def asked(self, chosen: Sequence[Agent], ask: Callable[[Agent], Awaitable[Value]]) -> Answers[Value]:
        """What these agents answer, asked at once; those that fail or are late stand under `failures`."""
        tasks = {agent.node: asyncio.create_task(_outcome(ask(agent))) for agent in chosen}
        try:
            if tasks:
                await asyncio.wait(tasks.values(), timeout=self.call.deadline - MARGIN_SECONDS)
            outcomes = {node: task.result() if task.done() else _late(node) for node, task in tasks.items()}
        finally:
            for task in tasks.values():
                task.cancel()
        return Answers(
            {node: outcome for node, outcome in outcomes.items() if not isinstance(outcome, ToolFailure)},
            {node: outcome for node, outcome in outcomes.items() if isinstance(outcome, ToolFailure)},
        )

    def page(
        self, kind: type[Paged], rows: Sequence[Any], limit: int, cursor: str | None, hint: str | None = None,
        **fields: Any,
    ) -> Paged:  # fmt: skip
        """One page of rows in their order; agents always give all of them."""
        bound_to = {name: given for name, given in self.call.arguments.items() if name not in ("limit", "cursor")}
        return sliced(kind, rows, limit, cursor, {**bound_to, "context": self.context.name}, hint=hint, **fields)

    def _agent(self, pod: AgentPod) -> Agent:
        return Agent(self.api, pod, self.memory)


def _one_a_node(pods: list[AgentPod]) -> list[AgentPod]:
    """The first pod of each node: a ready one where there is one, as during an update."""
    by_node: dict[str, AgentPod] = {}
    for pod in pods:
        by_node.setdefault(pod.node, pod)
    return list(by_node.values())


async def _outcome(answer: Awaitable[Value]) -> Value | ToolFailure:
    try:
        return await answer
    except ToolFailure as failure:  # reported beside the other nodes' answers
        return failure


def _late(node: str) -> ToolFailure:
    return timed_out(f"the agent on node {node} did not answer in time", f"ask it alone: node_name={node}")


class CiliumBackend(Backend):
    """The clusters of the kubeconfig."""

    def __init__(self, settings: CiliumSettings) -> None:
        self.settings = settings
        self._clusters = Clusters(settings)
        self._memory = Memory()

    def provide(self, call: Call) -> Mapping[type, Any]:
        cluster = self._clusters.cluster(call)
        return {Cilium: Cilium(**vars(cluster), settings=self.settings, memory=self._memory)}

    async def ready(self) -> None:
        """Return when a Ready agent is there."""
        await self._clusters.ready()
        call = Call("ready", "readyz", "readyz", {}, 5.0)
        cluster = self._clusters.cluster(call)
        pods = await Cilium(**vars(cluster), settings=self.settings, memory=self._memory).pods()
        agents.first_ready(pods)

    async def close(self) -> None:
        await self._clusters.close()


@asynccontextmanager
async def open_backend(settings: CiliumSettings) -> AsyncIterator[CiliumBackend]:
    backend = CiliumBackend(settings)
    try:
        yield backend
    finally:
        await backend.close()
