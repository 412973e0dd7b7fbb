"""Cilium as tools see it: the agents of the nodes that a call means."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from kmcp_cilium.agents import pods
from kmcp_cilium.agents.agent import AT_ONCE, Agent, Memory
from kmcp_cilium.agents.answers import Answers
from kmcp_cilium.agents.pods import AgentPod
from kmcp_cilium.settings import CiliumSettings
from kmcp_runtime import Backend, Call, Paged, ToolFailure, sliced, timed_out
from kmcp_runtime.helm import client as door
from kmcp_runtime.helm.client import Helm
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.cluster import Cluster
from kmcp_runtime.kube.clusters import Clusters

Value = TypeVar("Value")
MARGIN_SECONDS = 3.0
"""Time before a call's deadline that is kept for answering with what has arrived."""


@dataclass
class Cilium(Cluster):
    """Cilium in one cluster, for one tool call."""

    settings: CiliumSettings
    memory: Memory
    helm: Helm
    remote: Callable[[str], "Cilium"]
    """Cilium in another cluster of the kubeconfig, by its context."""

    async def find_namespace(self) -> str:
        """The namespace of Cilium, as configured or as found."""
        if self.settings.cilium_namespace:
            return self.settings.cilium_namespace
        # Only what was found is remembered: Cilium may be installed a moment later.
        self.memory.home = self.memory.home or await pods.find_home(self.api)
        return self.memory.home or pods.USUAL_NAMESPACE

    async def list_agent_pods(self) -> list[AgentPod]:
        """The pod of every agent, ready or not; `unavailable` when there are none."""
        namespace = await self.find_namespace()
        found = await pods.list_pods(self.api, namespace)
        if not found:
            # It may have been reinstalled in another namespace.
            self.memory.home = None
            raise pods.absent(namespace)
        return found

    async def find_any_agent(self, node: str | None) -> Agent:
        """The agent of a node, or any agent, for facts that are the same on all nodes."""
        found = await self.list_agent_pods()
        return self._agent(pods.on_node(found, node) if node else pods.first_ready(found))

    async def find_one_agent(self, node: str | None) -> Agent:
        """The agent of a node; without a node the only agent."""
        found = await self.list_agent_pods()
        return self._agent(pods.on_node(found, node) if node else pods.only(found))

    async def list_ready_agents(self, most: int) -> list[Agent]:
        """The first Ready agents, one for each node."""
        return [self._agent(pod) for pod in _one_a_node(await self.list_agent_pods()) if pod.ready][:most]

    async def find_companion(self, selector: str, container: str) -> Agent | None:
        """A Ready pod beside the agents (operator, cluster mesh); None where there is none."""
        found = await pods.list_pods(self.api, await self.find_namespace(), selector)
        ready = next((pod for pod in found if pod.ready), None)
        return Agent(self.api, ready, self.memory, container) if ready else None

    async def ask_agents(self, node: str | None, ask: Callable[[Agent], Awaitable[Value]]) -> Answers[Value]:
        """What the agent of a node, or every agent, answers, with the nodes that do not answer.

        When none answers, the failure of the first node is raised.
        """
        answers = await self.try_agents(node, ask)
        if not answers.by_node:
            raise answers.first_failure
        return answers

    async def try_agents(self, node: str | None, ask: Callable[[Agent], Awaitable[Value]]) -> Answers[Value]:
        """As `ask_agents`, for a tool that knows something without them: perhaps no answer at all.

        An identity that may not ask any of them is a failure here, too: there is no state to report.
        """
        found = await self.list_agent_pods()
        chosen = [pods.on_node(found, node)] if node else _one_a_node(found)
        answers = await self.ask_each([self._agent(pod) for pod in chosen if pod.ready], ask)
        failures = {**answers.failures, **{pod.node: pods.not_ready(pod) for pod in chosen if not pod.ready}}
        asked = Answers(answers.by_node, failures)
        if not answers.by_node and all(failure.code == "forbidden" for failure in failures.values()):
            raise asked.first_failure
        return asked

    async def ask_each(self, chosen: Sequence[Agent], ask: Callable[[Agent], Awaitable[Value]]) -> Answers[Value]:
        """What these agents answer, asked at the same time; those that fail or are late are in `failures`."""
        tasks = {agent.node: asyncio.create_task(_catch_failure(ask(agent))) for agent in chosen}
        try:
            if tasks:
                # The margin makes a slow node a row under unreachable instead of a failure of the whole call.
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
        self,
        kind: type[Paged],
        rows: Sequence[Any],
        limit: int,
        cursor: str | None,
        hint: str | None = None,
        **fields: Any,
    ) -> Paged:
        """One page of rows in their order; agents always return all of them."""
        # A cursor is good for the same question only: all arguments but those of paging.
        bound_to = {name: given for name, given in self.call.arguments.items() if name not in ("limit", "cursor")}
        return sliced(kind, rows, limit, cursor, {**bound_to, "context": self.context.name}, hint=hint, **fields)

    def _agent(self, pod: AgentPod) -> Agent:
        return Agent(self.api, pod, self.memory)


def _one_a_node(found: list[AgentPod]) -> list[AgentPod]:
    """The first pod of each node, which is a ready one where there is one."""
    by_node: dict[str, AgentPod] = {}
    for pod in found:
        by_node.setdefault(pod.node, pod)
    return list(by_node.values())


async def _catch_failure(answer: Awaitable[Value]) -> Value | ToolFailure:
    try:
        return await answer
    except ToolFailure as failure:  # Reported beside the other nodes' answers.
        return failure


def _late(node: str) -> ToolFailure:
    return timed_out(f"the agent on node {node} did not answer in time", f"ask it alone with node_name={node}")


class CiliumBackend(Backend):
    """The clusters of the kubeconfig, and Helm."""

    def __init__(self, settings: CiliumSettings, helm: Helm) -> None:
        self.settings = settings
        self._clusters = Clusters(settings)
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._helm = helm

    def provide(self, call: Call) -> Mapping[type, Any]:
        return {Cilium: self._cilium(call, self._clusters.cluster(call, self._local(call)))}

    async def ready(self) -> None:
        """Return when a Ready agent is there, as far as this server has a right of its own to look."""
        await self._clusters.ready()
        if self.settings.act_as != "server":
            return
        call = Call("ready", "readyz", "readyz", {}, 5.0)
        try:
            pods.first_ready(await self._cilium(call, self._clusters.cluster(call)).list_agent_pods())
        finally:
            call.ended()

    async def close(self) -> None:
        await self._clusters.close()

    def _cilium(self, call: Call, cluster: Cluster) -> Cilium:
        def remote(context: str) -> "Cilium":
            return self._cilium(call, self._clusters.cluster(call, context))

        memory = cluster.api.kept(self._remember)
        return Cilium(**vars(cluster), settings=self.settings, memory=memory, helm=self._helm, remote=remote)

    def _remember(self, _: KubeApi) -> Memory:
        return Memory(self._slots)

    def _local(self, call: Call) -> str | None:
        """This cluster's context, where a tool of the cluster mesh takes it as `source_context`."""
        # In those tools `context` is the other cluster's.
        if "source_context" not in call.arguments:
            return None
        return call.arguments["source_context"] or self._clusters.contexts().current


@asynccontextmanager
async def open_backend(settings: CiliumSettings) -> AsyncIterator[CiliumBackend]:
    with door.opened(settings) as helm:
        async with CiliumBackend(settings, helm) as backend:
            yield backend
