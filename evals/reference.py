"""A task's reference script through a real MCP client, counted as a model would pay for it."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastmcp import Client
from fastmcp.client.elicitation import ElicitResult

from evals.place import Place
from evals.task import Step, Task, filled
from kmcp_runtime import ERROR_META
from kmcp_runtime.output.bound import BYTES_PER_TOKEN

APPROVAL = "approval_required"


@dataclass
class Cost:
    """What a task took. Tokens are bytes / 4, of what a model writes (name and arguments) and reads (the answers)."""

    calls: int = 0
    written: int = 0
    read: int = 0
    listed: int = 0
    """Tools that the client's list has."""

    @property
    def tokens(self) -> int:
        return (self.written + self.read) // BYTES_PER_TOKEN


@dataclass
class Outcome:
    """How a run of a task ended; `faults` is empty when it did what was asked."""

    task: str
    server: str
    by: str
    cost: Cost = field(default_factory=Cost)
    faults: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        return not self.faults


class Script:
    """One run of a list of steps at an address."""

    def __init__(self, url: str, place: Place, outcome: Outcome) -> None:
        self._url, self._place, self._names, self._outcome = url, place, place.names, outcome
        self._step: Step | None = None

    async def run(self, steps: Sequence[Step]) -> None:
        """Make the calls; the first that goes wrong ends it, as the next ones follow from it."""
        # Who is asked is a person: a client without that handler gets a plan and a token instead.
        asked = not any(step.person == "token" for step in steps)
        handlers: dict[str, Any] = {"elicitation_handler": self._person} if asked else {}
        async with Client(self._url, **handlers) as client:
            listed = {tool.name for tool in await client.list_tools()}
            self._outcome.cost.listed = len(listed)
            for step in steps:
                if step.tool not in listed:
                    self._outcome.faults.append(f"{step.tool} is not in the client's list")
                    return
                if not await self._make(client, step):
                    return

    async def _make(self, client: Client[Any], step: Step) -> bool:
        self._step = step
        if step.when and (fault := await self._place.fault(step.when)):
            self._outcome.faults.append(f"before {step.tool}: {fault}")
            return False
        arguments = filled(step.arguments, self._names)
        text, code, body = await self._call(client, step.tool, arguments)
        if step.person == "token" and code == APPROVAL:
            holder = arguments["arguments"] if step.tool == "call_tool" else arguments
            holder["approval"] = body["approval"]
            text, code, _ = await self._call(client, step.tool, arguments)
        return self._follows(step, text, code)

    async def _call(self, client: Client[Any], tool: str, arguments: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
        """The text of the answer, the code of a failure or nothing, and the failure's body."""
        result = await client.call_tool(tool, arguments, raise_on_error=False)
        text = "".join(getattr(block, "text", "") for block in result.content)
        cost = self._outcome.cost
        cost.calls += 1
        cost.written += len(tool.encode()) + len(
            json.dumps(arguments, separators=(",", ":"), ensure_ascii=False).encode()
        )
        cost.read += len(text.encode())
        self._outcome.answers.append(text)
        body: dict[str, Any] = (result.meta or {}).get(ERROR_META, {})
        return text, str(body.get("code", "error")) if result.is_error else "", body

    def _follows(self, step: Step, text: str, code: str) -> bool:
        if code != (step.fails or ""):
            said = f"failed with {code}" if code else "succeeded"
            self._outcome.faults.append(f"{step.tool} {said}, expected {step.fails or 'success'}: {text[:400]}")
            return False
        for expression in step.sees:
            if not re.search(filled(expression, self._names), text):
                self._outcome.faults.append(f"{step.tool} does not show {expression!r}: {text[:600]}")
                return False
        for name, expression in step.take.items():
            found = re.search(filled(expression, self._names), text)
            if found is None:
                self._outcome.faults.append(f"{step.tool} does not show {expression!r} to take as {name}: {text[:600]}")
                return False
            self._names[name] = found[1]
        return True

    async def _person(self, message: str, *_: Any) -> ElicitResult[Any]:
        """Say what the script's person says; what it did not foresee is declined, and a fault."""
        person = self._step.person if self._step else None
        if person is None:
            tool = self._step.tool if self._step else "?"
            self._outcome.faults.append(f"{tool} asked a person, which the script does not foresee: {message[:300]}")
        if person == "yes":
            return ElicitResult(action="accept", content={"ok": True})
        return ElicitResult(action="decline")


def judge(task: Task, answer: str, names: Mapping[str, str]) -> list[str]:
    """What the answer lacks of what must be found, and holds of what must not."""
    missing = [text for text in filled(task.find, names) if not re.search(text, answer)]
    wrong = [text for text in filled(task.never, names) if re.search(text, answer)]
    return [f"the answer lacks {text!r}" for text in missing] + [f"the answer holds {text!r}" for text in wrong]
