"""One agent: its command line is run in its container, its answers are read as data, its failures explained."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from kmcp_cilium.agents import command_versions, failures
from kmcp_cilium.agents.command_effects import judge
from kmcp_cilium.agents.pods import CONTAINER, AgentPod
from kmcp_runtime import Code, ToolFailure, read_json, timed_out, too_large, unavailable
from kmcp_runtime.judging import READS, Verdict
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.execution import Execution, execute

PROGRAM = "cilium-dbg"
OLD_PROGRAM = "cilium"
"""The name of the program up to Cilium 1.14."""
AT_ONCE = 16
"""Commands that one server runs at the same time."""
SECONDS = 20.0
"""The deadline of one command."""
LARGEST = 48 << 20
_MISSING = 127


@dataclass
class Memory:
    """What does not change while an agent runs, by pod: of one cluster, as one identity found it."""

    slots: asyncio.Semaphore
    """One limit for all calls of the server, not one for each call."""
    home: str | None = None
    """The namespace of the agents, once they were found."""
    versions: dict[tuple[str, str, str], str] = field(default_factory=dict)
    programs: dict[tuple[str, str, str], str] = field(default_factory=dict)


@dataclass(frozen=True)
class Agent:
    """One Ready agent, or a Ready pod beside the agents."""

    api: KubeApi
    pod: AgentPod
    memory: Memory
    container: str = CONTAINER

    @property
    def node(self) -> str:
        return self.pod.node

    async def call_json(self, *words: str) -> Any:
        """The JSON document that a command prints with `-o json`."""
        # Flags after -- would be taken for operands.
        at = words.index("--") if "--" in words else len(words)
        words = (*words[:at], "-o", "json", *words[at:])
        return parsed(await self.call(*words), self._shown(words))

    async def call_json_or(self, codes: tuple[Code, ...], otherwise: Any, *words: str) -> Any:
        """The document, or `otherwise` where the agent fails with one of these codes, such as `not_found`."""
        try:
            return await self.call_json(*words)
        except ToolFailure as failure:
            if failure.code not in codes:
                raise
            return otherwise

    async def call(self, *words: str, seconds: float = SECONDS, verdict: Verdict | None = None) -> str:
        """The standard output of a command; a command that fails raises a `ToolFailure`.

        `verdict` is what it does, where the caller knows that better than its words tell.
        """
        stdout, errors = await self.call_logged(*words, seconds=seconds, verdict=verdict)
        # A command of several steps goes on after one that fails, logs that, and exits with 0.
        if errors and (verdict or judge(PROGRAM, words, self.where)) is not READS:
            raise failures.logged(self._shown(words), errors, self.where, self.look)
        return stdout

    async def call_logged(
        self, *words: str, seconds: float = SECONDS, verdict: Verdict | None = None
    ) -> tuple[str, list[str]]:
        """As `call`, with the errors that the command logged although it succeeded."""
        # Cobra answers an unknown subcommand with its help and exit code 0, so a missing command must not be run.
        missing = await self.find_missing(*words)
        if missing is not None:
            raise missing.failure(await self.read_version())
        ended = await self.run(PROGRAM, *words, seconds=seconds, verdict=verdict)
        stdout = ended.stdout.decode(errors="replace")
        if ended.exit_code != 0:
            raise self.failure(words, ended)
        # The same for a command whose versions are not known here yet.
        if failures.is_help(stdout):
            raise failures.misunderstood(self._shown(words))
        return stdout, failures.errors_in(ended.stderr.decode(errors="replace"))

    async def find_missing(self, *words: str) -> command_versions.Span | None:
        """The versions of a command that this agent's version does not have; None when it has it."""
        span = command_versions.span_of(words)
        if span is None or span.has(command_versions.minor(await self.read_version())):
            return None
        return span

    async def read_version(self) -> str:
        """The agent's version, such as `1.19.5`; that of its program where the agent does not answer."""
        if self.pod.key not in self.memory.versions:
            words = ("version", "-o", "json")
            document = parsed(await self.call(*words), self._shown(words))
            version = (document.get("Daemon") or {}).get("Version") or (document.get("Client") or {}).get("Version")
            self.memory.versions[self.pod.key] = str(version or "an unknown version")
        return self.memory.versions[self.pod.key]

    async def run(
        self, program: str, *words: str, seconds: float = SECONDS, verdict: Verdict | None = None
    ) -> Execution:
        """Run a program in the agent's container, without a shell; the caller reads its exit code."""
        # The older name is remembered, so that only the first command of an agent is tried twice.
        name = self.memory.programs.get(self.pod.key, program) if program == PROGRAM else program
        ended = await self._execute(name, words, seconds, verdict)
        # The container runtime reports 127 with a message of its own; a program may exit with 127 itself.
        if ended.exit_code == _MISSING and ended.problem and name == PROGRAM:
            self.memory.programs[self.pod.key] = OLD_PROGRAM
            ended = await self._execute(OLD_PROGRAM, words, seconds, verdict)
        if ended.problem:
            raise unavailable(f"could not run {program} {self.where}: {ended.problem}", self.look)
        return ended

    async def try_json(self, program: str, *words: str) -> Any | ToolFailure:
        """The document that a program beside an agent prints, or why it did not; `forbidden` is raised.

        For what is shown beside an answer that is good without it.
        """
        try:
            ended = await self.run(program, *words)
            if ended.exit_code:
                raise self.failure((program, *words), ended)
            return parsed(ended.stdout.decode(errors="replace"), " ".join((program, *words[:2])))
        except ToolFailure as failure:
            if failure.code == "forbidden":
                raise
            return failure

    @property
    def where(self) -> str:
        return f"on node {self.node}, pod {self.pod.namespace}/{self.pod.name}"

    @property
    def look(self) -> str:
        """The call that shows the agent's log."""
        return f"k8s_get_pod_logs pod_name={self.pod.name} namespace={self.pod.namespace} container={self.container}"

    async def _execute(
        self, program: str, words: tuple[str, ...], seconds: float, verdict: Verdict | None
    ) -> Execution:
        namespace, name = self.pod.namespace, self.pod.name
        # Each command is a stream through the API server and a process on the node.
        async with self.memory.slots:
            ended = await execute(
                self.api,
                namespace,
                name,
                self.container,
                (program, *words),
                None,
                seconds,
                LARGEST,
                verdict=verdict or judge(program, words, self.where),
            )
        if ended.timed_out:
            raise timed_out(
                f"`{program} {words[0]}` did not finish within {seconds:.0f} s {self.where}",
                self.look,
                backend=failures.BACKEND,
            )
        if ended.truncated:
            raise too_large(f"`{program} {words[0]}` printed more than {LARGEST >> 20} MiB {self.where}")
        return ended

    def failure(self, words: tuple[str, ...], ended: Execution) -> ToolFailure:
        """What a failed command says, as a failure."""
        stdout, stderr = (stream.decode(errors="replace") for stream in (ended.stdout, ended.stderr))
        return failures.failed(self._shown(words), stdout, stderr, ended.exit_code, self.where, self.look)

    def _shown(self, words: tuple[str, ...]) -> str:
        # Two words name the command; what follows are operands, which do not belong in a message.
        return " ".join((PROGRAM, *words[:2]))


def parsed(text: str, command: str) -> Any:
    """A command's JSON output as data."""
    try:
        return read_json(text)
    except ValueError:
        raise failures.unreadable(command, text) from None
