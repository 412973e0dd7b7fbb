"""Where a task happens: a namespace of its own, filled, judged and removed with kubectl, helm and Prometheus' API."""

import asyncio
import json
import os
import re
import secrets
import shlex
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from evals import backends
from evals.task import Look, Task, filled
from tests.slowness import Deadline, scaled

LABEL = "kmcp-evals"
_PAUSE_SECONDS = 0.3
_COMMAND_SECONDS = 60


class PlaceFailure(Exception):
    """The task cannot be set up: the text says what was tried and what came of it."""


@dataclass(frozen=True)
class Tools:
    """The programs that set up and judge; none of them is ours."""

    kubectl: Path
    helm: Path
    kubeconfig: Path
    charts: Path
    prometheus: str = ""
    grafana: str = ""

    async def run(self, words: list[str], stdin: str = "") -> tuple[int, str]:
        """Exit code and output of `kubectl …` or `helm …`."""
        program = {"kubectl": self.kubectl, "helm": self.helm}[words[0]]
        process = await asyncio.create_subprocess_exec(
            program,
            *words[1:],
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
            cwd=self.charts,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(scaled(_COMMAND_SECONDS)):
                output, _ = await process.communicate(stdin.encode())
        except TimeoutError:
            return 1, f"{shlex.join(words)} did not end"
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return process.returncode or 0, output.decode().strip()


class Place:
    """The namespace of one task, and the names that stand in its texts."""

    def __init__(self, tools: Tools, names: Mapping[str, str]) -> None:
        self.tools = tools
        self.names = dict(names)

    async def command(self, text: str) -> str:
        """What `kubectl …` or `helm …` prints here. Errors: PlaceFailure."""
        code, output = await self._run(text)
        if code:
            raise PlaceFailure(f"{text}: {output}")
        return output

    async def prepare(self, task: Task) -> None:
        """Plant the fault and wait until it shows."""
        if task.manifests:
            words = ["kubectl", "apply", "--namespace", self.names["ns"], "--filename", "-"]
            code, output = await self.tools.run(words, filled(task.manifests, self.names))
            if code:
                raise PlaceFailure(f"the manifests are refused: {output}")
        for text in task.commands:
            await self.command(text)
        for look in task.ready:
            if fault := await self.fault(look):
                raise PlaceFailure(f"the planted fault does not show: {fault}")
        for name, text in task.remember.items():
            self.names[name] = await self.command(f"kubectl {text}")

    async def fault(self, look: Look) -> str | None:
        """What is still wrong at the deadline; None as soon as nothing is."""
        deadline = Deadline(look.seconds)
        while True:
            seen = await self._see(look)
            if _holds(look, seen, self.names):
                return None
            if deadline.passed():
                asked = look.kubectl or look.helm or look.promql or look.grafana or ""
                return f"{filled(asked, self.names)} shows {seen[:300]!r}"
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _see(self, look: Look) -> str:
        if look.promql is not None:
            async with httpx2.AsyncClient(timeout=scaled(10)) as http:
                query = {"query": filled(look.promql, self.names)}
                answer = await http.get(f"{self.tools.prometheus}/api/v1/query", params=query)
                return answer.text
        if look.grafana is not None:
            return await backends.ask_grafana(self.tools.grafana, filled(look.grafana, self.names))
        text = f"kubectl {look.kubectl}" if look.kubectl is not None else f"helm {look.helm}"
        return (await self._run(text))[1]

    async def _run(self, text: str) -> tuple[int, str]:
        program, *words = shlex.split(filled(text, self.names))
        return await self.tools.run([program, f"--namespace={self.names['ns']}", *words])


def _holds(look: Look, seen: str, names: Mapping[str, str]) -> bool:
    if look.equals is not None and seen != filled(look.equals, names):
        return False
    if look.matches is not None and not re.search(filled(look.matches, names), seen):
        return False
    return look.lacks is None or not re.search(filled(look.lacks, names), seen)


@asynccontextmanager
async def place_of(
    label: str, tools: Tools, names: Mapping[str, str], clean: Sequence[str] = ()
) -> AsyncIterator[Place]:
    """A new namespace, labelled with what it is for; it is deleted whatever happens, Ctrl-C included.

    `clean` are the commands that remove what lies outside of it.
    """
    place = Place(tools, {**names, "ns": f"eval-{secrets.token_hex(4)}"})
    try:
        await _create(place, label)
        yield place
    finally:
        # Shielded: whoever cancels the task still wants nothing left behind.
        await asyncio.shield(_remove(place, clean))


async def _create(place: Place, label: str) -> None:
    namespace: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": place.names["ns"], "labels": {LABEL: label}},
    }
    code, output = await place.tools.run(["kubectl", "create", "--filename", "-"], json.dumps(namespace))
    if code:
        raise PlaceFailure(f"no namespace: {output}")
    # A pod that comes before its ServiceAccount is refused.
    wanted = Look(kubectl="get serviceaccount default -o name", equals="serviceaccount/default")
    if fault := await place.fault(wanted):
        raise PlaceFailure(fault)


async def _remove(place: Place, clean: Sequence[str]) -> None:
    for text in clean:
        await place._run(text)
    names = place.names["ns"]
    await place.tools.run(["kubectl", "delete", "pods", "--all", "--namespace", names, "--grace-period=0", "--force"])
    await place.tools.run(["kubectl", "delete", "namespace", names, "--wait=false", "--ignore-not-found"])


async def sweep(tools: Tools) -> str:
    """Delete every namespace that an interrupted run left."""
    return (await tools.run(["kubectl", "delete", "namespace", "--selector", LABEL, "--ignore-not-found"]))[1]
