"""Following a runbook as a model would: its steps in order, each call as it is written, the words that it says to look
for in the answer."""

from typing import Any

from kmcp_runtime.runbooks.steps import NamedCall, steps_of
from tests.mcp import ToolCaller, text_of
from tests.runbooks.stock import RUNBOOKS
from tests.waiting import until


class Walk:
    """One runbook with the values that a person gave."""

    def __init__(self, name: str, tools: ToolCaller, /, **given: str) -> None:
        self._name, self._tools, self._given = name, tools, given
        self._steps = {step.number: step for step in steps_of(RUNBOOKS[name].body)}
        self._walked: set[int] = set()

    async def step(self, number: int, *words: str, call: int = 0, **found: Any) -> str:
        """The answer to a call of a step, once it has these words, which the step names.

        `found`: what earlier answers showed, with underscores for blanks.
        """
        step = self._steps[number]
        assert set(words) <= set(step.words), f"step {number} of {self._name} does not say to look for {words}"
        self._walked.add(number)

        async def look() -> str:
            return await self._answer(step.calls[call], found)

        what = f"{words} in the answer of step {number} of {self._name}"
        return await until(look, lambda text: all(word in text for word in words), what=what)

    async def change(self, number: int, **found: Any) -> str:
        """What a step rehearsed is done, as after a yes."""
        (call,) = self._steps[number].calls
        really = {name: value for name, value in call.arguments.items() if name != "dry_run"}
        assert really != call.arguments
        return await self._answer(NamedCall(call.tool, really), found)

    def end(self) -> None:
        """Every step that calls something was taken."""
        calling = {number for number, step in self._steps.items() if step.calls}
        assert self._walked == calling, f"{self._name}: steps {sorted(calling - self._walked)} were not taken"

    async def _answer(self, call: NamedCall, found: dict[str, Any]) -> str:
        seen = {name.replace("_", " "): value for name, value in found.items()}
        result = await self._tools.client.call_tool(call.tool, call.filled(self._given, seen), raise_on_error=False)
        return text_of(result.content)
