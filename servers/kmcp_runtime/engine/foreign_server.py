"""A foreign server as one of the process: its tools are called under the same rules, and its faults stay its own.

It is asked for its list when the process starts, when it says that the list has changed, and from time to time; while
it cannot be reached, ever more seldom. Its tools stay listed meanwhile, and a call says what is the matter.
"""

import asyncio
import contextlib
import hashlib
import json
import logging
import random
from collections import OrderedDict
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any

from fastmcp.server.dependencies import get_http_headers

from kmcp_runtime import judging, live_state, redaction
from kmcp_runtime.call import Call
from kmcp_runtime.catalog import Effect
from kmcp_runtime.engine import foreign_answers, foreign_questions
from kmcp_runtime.engine.configured import ConfiguredServer, Process, offered
from kmcp_runtime.engine.dispatch import SuiteTool
from kmcp_runtime.errors import ToolFailure, timed_out, unavailable
from kmcp_runtime.foreign.attending import Attending
from kmcp_runtime.foreign.conversation import Conversation
from kmcp_runtime.foreign.json_rpc import RefusedError
from kmcp_runtime.foreign.listed_tools import ForeignSpec, Listing, declared, read_tools
from kmcp_runtime.foreign.scrubbing import scrub
from kmcp_runtime.foreign.servers_file import ForeignEntry
from kmcp_runtime.foreign.shown_words import texts
from kmcp_runtime.output.results import Result
from kmcp_runtime.server import Server
from kmcp_runtime.settings import Settings
from kmcp_runtime.worker import run_in_thread

log = logging.getLogger("kmcp.foreign")
LIST_SECONDS = 30.0
CHECK_SECONDS = 60.0
"""Between looks at the list of a server that does not say when it changes."""
RELIST_SECONDS = 2.0
"""At least, from one look at a list to the next, however often the server says that it has changed."""
_REST = 4  # times as long as a look took
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
_AFTER_LOSS_SECONDS = 5.0
_MOST_CALLERS = 64
_SHARE = 0.95  # of a call's deadline: the failure that names the server comes before the one that does not


class ForeignPlan(Result):
    """What a person is asked about: the call as it would be sent."""

    server: str
    tool: str
    arguments: dict[str, Any]


class ForeignServer(ConfiguredServer):
    """`own` are names of tools that are taken; `on_change` hears that the offered tools are others now."""

    def __init__(
        self, entry: ForeignEntry, process: Process, own: Container[str], on_change: Callable[[], None]
    ) -> None:
        about = Server(
            name=entry.name,
            title=entry.title or entry.name,
            description=f"The foreign server {entry.name}.",
            instructions="",
            port=0,
            tools=tuple,
            settings=Settings,
        )
        super().__init__(about, Settings(), process)
        self.entry = entry
        self.listed: dict[str, SuiteTool] = {}
        """As last shown; `refreshed` knows what has become secret since."""
        self.trouble = "it has not been asked yet"
        """Why its tools cannot be called now; empty while it answers."""
        self._own, self._on_change = own, on_change
        self._raw: list[dict[str, Any]] = []
        self._revision = redaction.revision()
        self._listing: Listing | None = None
        """What was made of `_raw`; None before the first list."""
        self._making = asyncio.Lock()
        self._left_out_told: frozenset[str] = frozenset()
        self._shown: dict[str, tuple[str, Effect]] = {}
        self._stale = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None
        self._after_loss = _AFTER_LOSS_SECONDS
        self._main = Conversation(entry, on_change=self._stale.set)
        self._of_callers: OrderedDict[str, Conversation] = OrderedDict()
        self._closing: set[asyncio.Task[None]] = set()

    def provided(self, wanted: Mapping[str, type], call: Call) -> dict[str, Any]:
        return dict.fromkeys(wanted, call)

    async def keep(self) -> None:
        """Know what the server lists, until this is cancelled."""
        pause = FIRST_PAUSE
        try:
            while True:
                self._stale.clear()
                began = asyncio.get_running_loop().time()
                if await self._look():
                    ended = asyncio.get_running_loop().time()
                    pause = FIRST_PAUSE
                    self._keep_listening()
                    await self._wait(CHECK_SECONDS)
                    # What is said meanwhile is in the list that is asked for then. A list that takes long comes seldom.
                    rest = max(RELIST_SECONDS, _REST * (ended - began))
                    await asyncio.sleep(ended + rest - asyncio.get_running_loop().time())
                else:
                    await self._stop_listening()
                    # Not all at once where many servers went together.
                    await self._wait(pause * random.uniform(0.75, 1.25))  # noqa: S311
                    pause = min(pause * 2, LONGEST_PAUSE)
        finally:
            await self._stop_listening()

    async def idle(self) -> None:
        """Wait until no call is under way."""
        for each in (self._main, *self._of_callers.values()):
            await each.free()

    async def close(self) -> None:
        """Let go of every connection."""
        closing = [each.close() for each in (self._main, *self._of_callers.values())]
        await asyncio.gather(*closing, *self._closing, return_exceptions=True)

    async def take_over(self, before: "ForeignServer") -> None:
        """Offer what was listed last under another entry of the same server, until this one has been asked."""
        if before._listing is not None:
            async with self._making:
                await self._renew(before._raw)

    async def _look(self) -> bool:
        """Ask for the list; whether it came."""
        try:
            async with asyncio.timeout(LIST_SECONDS):
                listed = await read_tools(self._main)
                async with self._making:
                    found = await self._renew(listed)
        except (ToolFailure, RefusedError) as failure:
            self._in_trouble(failure.message)
            return False
        except TimeoutError:
            self._in_trouble(f"no list of tools within {LIST_SECONDS:.0f} s")
            return False
        except Exception:
            # A fault of ours: it must not be silent, and end nothing but this attempt.
            log.exception("the list of the foreign server %s cannot be used", self.name)
            self._in_trouble("its list cannot be used; the log of the door says why")
            return False
        for reason in found.left_out:
            if reason not in self._left_out_told:
                log.warning("a tool of the foreign server %s is left out: %s", self.name, redaction.text(reason))
        self._left_out_told = frozenset(found.left_out)
        if self.trouble:
            log.info("the foreign server %s lists %d tools", self.name, len(found.tools))
        self.trouble = ""
        return True

    async def refreshed(self) -> Mapping[str, SuiteTool]:
        """The tools as they may be listed now: without what has become known to be secret since they were made."""
        if self._revision != redaction.revision():
            async with self._making:
                revision = redaction.revision()
                if self._revision != revision and await run_in_thread(_hold_secrets, list(self.listed.values())):
                    await self._renew(self._raw)
                else:
                    self._revision = revision
        return self.listed

    async def _renew(self, listed: list[dict[str, Any]]) -> Listing:
        revision = redaction.revision()
        if self._listing is not None and (self._raw, self._revision) == (listed, revision):
            return self._listing
        # A thousand tools take seconds, in which others are answered.
        found, shown = await run_in_thread(self._made, listed)
        self._raw, self._revision, self._listing = listed, revision, found
        self._offer(found.tools, shown)
        return found

    def _made(self, listed: list[dict[str, Any]]) -> tuple[Listing, dict[str, SuiteTool]]:
        """What the server lists, and what of it is listed here."""
        found = declared(self.entry, listed, self._own, self._invoke)
        return found, {spec.name: SuiteTool.of(spec, self) for spec in offered(found.tools, self.runtime)}

    def _in_trouble(self, why: str) -> None:
        if why != self.trouble:
            log.warning("the foreign server %s cannot be used: %s", self.name, redaction.text(why))
        self.trouble = why

    def _offer(self, specs: Sequence[ForeignSpec], listed: Mapping[str, SuiteTool]) -> None:
        here = {spec.name: spec for spec in specs if spec.name in listed}
        before, self._shown = self._shown, {name: (spec.hash, spec.effect) for name, spec in here.items()}
        self.offer(specs, here)
        self.listed = dict(listed)
        if before != self._shown:
            self._on_change()

    def _keep_listening(self) -> None:
        """On one stream across looks: what is said between two of them is not lost."""
        if self._main.says_changes and (self._listening is None or self._listening.done()):
            self._listening = asyncio.create_task(self._listen())

    async def _stop_listening(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
            self._listening = None

    async def _listen(self) -> None:
        began = asyncio.get_running_loop().time()
        try:
            await self._main.listen()
        except RefusedError:
            return  # it cannot be listened to, whatever it says
        except ToolFailure as failure:
            log.debug("the stream of the foreign server %s ended: %s", self.name, redaction.text(failure.message))
            # It may be another one when it is back. A gateway that cuts every stream must not set the pace.
            lasted = asyncio.get_running_loop().time() - began
            self._after_loss = _AFTER_LOSS_SECONDS if lasted > CHECK_SECONDS else self._after_loss
            await asyncio.sleep(self._after_loss)
            self._after_loss = min(self._after_loss * 2, CHECK_SECONDS)
            self._stale.set()

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stale.wait()

    async def _invoke(self, original: str, call: Call) -> Any:
        """Carry out a call, or say what it would do."""
        spec = self.tools.get(call.tool)
        if not isinstance(spec, ForeignSpec):
            raise unavailable(f"the foreign server {self.name} does not list {call.tool} any longer", "search again")
        arguments = spec.sent(call.written)
        if spec.effect is Effect.DESTROY:
            live_state.bind(f"tool {original} of {self.name}", spec.hash)
        verdict = _verdict(spec, self.name)
        judgement = judging.current()
        if judgement is not None and judgement.rehearsal:
            judging.foresee(verdict)
            return ForeignPlan(server=self.name, tool=original, arguments=arguments)
        judging.allow(verdict)
        return await self._call(spec, arguments, call)

    async def _call(self, spec: ForeignSpec, arguments: dict[str, Any], call: Call) -> Any:
        seconds = call.deadline * _SHARE
        attending = Attending(_progress(call), foreign_questions.asking(self.name))
        try:
            with self._conversation().held() as conversation:
                async with asyncio.timeout(seconds):
                    result = await self._answered(conversation, spec, arguments, attending)
                    if not isinstance(result, dict):
                        return result
        except TimeoutError:
            raise timed_out(
                f"the foreign server {self.name} did not answer {spec.original} within {seconds:.0f} s",
                "it may have taken effect; ask for less, or raise --timeout (KMCP_TIMEOUT)",
                backend=self.name,
            ) from None
        except RefusedError as error:
            hint = f"this is what the foreign server {self.name} says of {spec.original}"
            raise ToolFailure("conflict", redaction.text(error.message), hint, backend=self.name) from None
        except ToolFailure as failure:
            if failure.code == "unavailable":
                self._stale.set()
            raise
        tokens = self.runtime.answer_tokens
        if foreign_answers.is_small(result):
            return foreign_answers.answer(self.name, spec.original, result, tokens)
        return await run_in_thread(foreign_answers.answer, self.name, spec.original, result, tokens)

    async def _answered(
        self, conversation: Conversation, spec: ForeignSpec, arguments: dict[str, Any], attending: Attending
    ) -> Any:
        """What the server answers, or the question that the client must put to a person first."""
        params = {"name": spec.original, "arguments": arguments, **foreign_questions.answers_of_client()}
        while True:
            result = await conversation.request("tools/call", params, attending, spec.mirrored)
            if result.get("resultType") != "input_required":
                return result
            more = await foreign_questions.put(self.name, spec, result)
            if not isinstance(more, dict):
                return more
            params = {**params, **more}

    def _conversation(self) -> Conversation:
        """The one of this server; where headers of callers go along, that of this caller."""
        if not self.entry.forward_headers:
            return self._main
        sent = get_http_headers(include=set(self.entry.forward_headers))
        wanted = {name.lower() for name in self.entry.forward_headers}
        forwarded = {name: value for name, value in sent.items() if name.lower() in wanted}
        key = hashlib.sha256(json.dumps(sorted(forwarded.items())).encode()).hexdigest()
        found = self._of_callers.get(key) or Conversation(self.entry, forwarded)
        self._of_callers[key] = found
        self._of_callers.move_to_end(key)
        self._put_out(found)
        return found

    def _put_out(self, staying: Conversation) -> None:
        """Of more callers than are kept, those that came longest ago and have no call under way."""
        excess = len(self._of_callers) - _MOST_CALLERS
        if excess <= 0:
            return
        free = [key for key, each in self._of_callers.items() if each.is_free and each is not staying]
        for key in free[:excess]:
            task = asyncio.create_task(self._of_callers.pop(key).close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


def _hold_secrets(tools: Sequence[SuiteTool]) -> bool:
    shown = ([tool.name, tool.title or "", tool.description or "", tool.parameters] for tool in tools)
    return any(redaction.holds_known("\n".join(texts(each))) for each in shown)


def _verdict(spec: ForeignSpec, server: str) -> judging.Verdict:
    if spec.effect is Effect.READ:
        return judging.READS
    what = f"calls {spec.original} of the foreign server {server}"
    if spec.effect is Effect.WRITE:
        return judging.writes(what)
    return judging.destroys(f"{what}, which may delete or overwrite anything that it can reach")


def _progress(call: Call) -> Any:
    """None where nobody follows the call: then the server is not asked for it."""
    if call.report is None:
        return None
    pace = _Pace()

    async def report(params: Mapping[str, Any]) -> None:
        done, message = _number(params.get("progress")), params.get("message")
        if done is not None and pace.allows(asyncio.get_running_loop().time()):
            await call.progress(done, _number(params.get("total")), message if isinstance(message, str) else "")

    return report


class _Pace:
    """How often a caller hears of progress: at once at first, then so often that no flood of it holds up others."""

    BURST, PER_SECOND = 20, 10

    def __init__(self) -> None:
        self._left, self._last = float(self.BURST), 0.0

    def allows(self, now: float) -> bool:
        """Whether one more may pass now, in seconds of a clock that only goes on."""
        self._left = min(self.BURST, self._left + (now - self._last) * self.PER_SECOND)
        self._last = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def _number(value: Any) -> float | None:
    return scrub(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
