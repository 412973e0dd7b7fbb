"""A call from its arguments to its answer: checked, approved, run within its deadline, redacted, bounded, recorded."""

import hashlib
import json
import logging
import secrets
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import anyio
import mcp_types
from fastmcp.server.context import Context
from fastmcp.tools import Tool, ToolResult
from pydantic import PrivateAttr

from kmcp_runtime import answers, apps, argument_sizes, echoes, hints, identities, patterns, redaction, touched
from kmcp_runtime.audit.record import Entry
from kmcp_runtime.call import Call, Report
from kmcp_runtime.declaration import DEFAULT_TIMEOUT_SECONDS, Effect, ToolSpec
from kmcp_runtime.engine import audit, auth, permitting, traced, via
from kmcp_runtime.engine.account import Account
from kmcp_runtime.engine.grants import Grant
from kmcp_runtime.engine.judged import JudgedCall
from kmcp_runtime.engine.permitting import Standing
from kmcp_runtime.errors import ERROR_META, OWN_MESSAGES, ToolFailure, denied, timed_out
from kmcp_runtime.identities import Caller
from kmcp_runtime.json_text import TooDeepError
from kmcp_runtime.output.bound import finish, size
from kmcp_runtime.output.render import UNTRUSTED_META, one_line, others
from kmcp_runtime.tracing import backend_requests
from kmcp_runtime.worker import is_large, run_in_thread
from kmcp_runtime.yaml_text import YamlError

if TYPE_CHECKING:
    from kmcp_runtime.engine.configured import ConfiguredServer

log = logging.getLogger("kmcp.call")
GRACE_SECONDS = 15.0
_LONGEST_PROGRESS = 300


class SuiteTool(Tool):
    """A declared tool as fastmcp serves it."""

    _declared: ToolSpec = PrivateAttr()
    _instance: "ConfiguredServer" = PrivateAttr()
    _schema_digest: str = PrivateAttr(default="")

    @classmethod
    def of(cls, declared: ToolSpec, instance: "ConfiguredServer") -> "SuiteTool":
        answer = declared.output_schema()
        redaction.keep(_words_of(answer))
        tool = cls(
            name=declared.name,
            title=declared.title,
            description=declared.description,
            parameters=declared.input_schema(),
            output_schema=answer or None,
            annotations=mcp_types.ToolAnnotations(
                read_only_hint=declared.worst is Effect.READ,
                destructive_hint=declared.can_destroy(),
                idempotent_hint=declared.idempotent,
                open_world_hint=declared.open_world,
            ),
            meta={"kmcp-suite/tool": tool_meta(declared)},
        )
        tool._declared = declared
        tool._instance = instance
        if declared.foreign:
            text = json.dumps(tool.parameters, sort_keys=True)
            tool._schema_digest = hashlib.sha256(text.encode(errors="replace")).hexdigest()
        return tool

    @property
    def instance(self) -> "ConfiguredServer":
        return self._instance

    @property
    def view(self) -> str | None:
        """The address of its view."""
        found = self._declared.view
        return apps.address(self._instance.name, found) if found else None

    @property
    def is_foreign(self) -> bool:
        """Whether its texts are those of a foreign server."""
        return self._declared.foreign

    @property
    def schema_digest(self) -> str:
        """Another one for another schema of a foreign tool; empty for our own, whose schemas cannot change."""
        return self._schema_digest

    async def narrowed(self, standing: Standing) -> "SuiteTool | None":
        """The tool as the caller of this standing has it; None when the caller has none of it."""
        granted = await permitting.narrowed(self._instance, self._declared, standing)
        if granted is None:
            return None
        return self if granted is self._declared else SuiteTool.of(granted, self._instance)

    async def run(self, arguments: dict[str, Any]) -> ToolResult:
        return await run(self._instance, self._declared, arguments)


def _words_of(schema: Any) -> Iterator[str]:
    """The fixed words of a schema: a Secret with the same value must not make an answer another one."""
    if isinstance(schema, Mapping):
        yield from (word for word in (*schema.get("enum", ()), schema.get("const")) if isinstance(word, str))
        for part in schema.values():
            yield from _words_of(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _words_of(part)


def tool_meta(declared: ToolSpec) -> dict[str, Any]:
    """What a catalog cannot learn from the schema: effect and needs."""
    needs = [{"group": rule.group, "resources": [*rule.resources], "verbs": [*rule.verbs]} for rule in declared.needs]
    by = {"actions": dict(declared.by.effects)} if declared.by else {}
    return {"effect": declared.worst.value, **by, "needs": needs}


async def run(instance: "ConfiguredServer", declared: ToolSpec, arguments: Mapping[str, Any]) -> ToolResult:
    """Answer a call; every failure becomes a result, and exactly one audit line says how it went."""
    caller = auth.current_caller()
    large = any(map(is_large, arguments.values()))
    begin = partial(_begun, instance, declared, arguments, caller)
    entry, excess = await run_in_thread(begin) if large else begin()
    if excess:
        arguments = {}
    started = time.perf_counter()
    with _surrounded(instance, declared, arguments):
        try:
            if excess:
                raise excess
            standing = await permitting.current(instance.policies, caller)
            granted = standing.grant.narrowed(instance.name, declared)
            if granted is None:
                raise standing.grant.refusal(declared.name)
            # In the form that the list showed; what no call may do is refused below, where the rule is known.
            granted = await permitting.narrowed(instance, declared, standing) or granted
            with hints.offering(await permitting.shown(instance, standing)):
                return await _answer(instance, granted, arguments, entry, standing)
        except ToolFailure as failure:
            entry.outcome = failure.code
            if failure.code == "denied" and (rule := failure.rule or failure.details.get("rule")):
                entry.decided("deny", rule)
            return await run_in_thread(error_result, failure, arguments)
        except (YamlError, TooDeepError) as error:
            # Text of a backend that no tool has an explanation of its own for: a chart, a stored release, an answer.
            entry.outcome = "unavailable"
            return error_result(_unreadable(error))
        except Exception as error:
            unexpected = await _explained(error, entry.request)
            entry.outcome = unexpected.code
            return error_result(unexpected)
        except BaseException:
            entry.outcome = "cancelled"
            raise
        finally:
            _record(instance, entry, time.perf_counter() - started)


@contextmanager
def _surrounded(instance: "ConfiguredServer", declared: ToolSpec, arguments: Mapping[str, Any]) -> Iterator[None]:
    """What every part of a call may rely on, and what it leaves its notes in."""
    with (
        instance.metrics.under_way(instance.name, declared.name),
        answers.remembered(),
        patterns.bounded(),
        backend_requests.counted_by(partial(instance.metrics.backend_request, instance.name)),
        touched.noting(),
        redaction.echoing(arguments, _in_words(declared, arguments)),
    ):
        yield


def _in_words(declared: ToolSpec, arguments: Mapping[str, Any]) -> frozenset[str]:
    """Arguments that an answer does not repeat as a whole: those of a call that reads, but for documents.

    Of a foreign tool nobody knows which argument is a document.
    """
    if declared.effect_of(arguments) is not Effect.READ:
        return frozenset()
    own, renamed = declared.arguments, declared.renamed
    return frozenset(
        name for name in arguments if declared.foreign or argument_sizes.is_usual(own, renamed.get(name, name))
    )


def _begun(
    instance: "ConfiguredServer", declared: ToolSpec, arguments: Mapping[str, Any], caller: Caller
) -> tuple[Entry, ToolFailure | None]:
    """The audit's entry of a call, and why its arguments are too many or too large, None if they are not."""
    excess = argument_sizes.excess(declared.arguments, arguments, declared.renamed)
    # Nothing may walk through what is too large, the audit line's digest neither.
    return _entry(instance, declared, {} if excess else arguments, caller), excess


def _entry(instance: "ConfiguredServer", declared: ToolSpec, arguments: Mapping[str, Any], caller: Caller) -> Entry:
    effect = declared.effect_of(arguments).value
    entry = audit.entry_of(secrets.token_hex(6), instance.name, declared.name, effect, caller)
    entry.via = via.current() or ""
    audit.describe(entry, arguments)
    # Of a foreign tool the word is its own, and nothing here makes it true.
    entry.dry_run = entry.dry_run and "dry_run" in declared.arguments.model_fields
    return entry


def error_result(failure: ToolFailure, arguments: Mapping[str, Any] = MappingProxyType({})) -> ToolResult:
    """The failure as callers see it; of their arguments it repeats no more than a short excerpt."""
    body = failure.body()
    said = {word: echoes.shortened(body[word], arguments) for word in ("message", "hint") if word in body}
    with redaction.repeating():
        said = redaction.value(said)
    body = redaction.value(body) | said
    if "approval" in failure.details:  # Our own sealed token is no secret to the caller it was made for.
        body["approval"] = failure.details["approval"]
    foreign = _foreign_words(failure, body)
    # A JSON text is a frame already: no content ends it. First what is in it, so that a reader knows before the words.
    text = json.dumps({**({"untrusted": foreign} if foreign else {}), **body}, ensure_ascii=False)
    return ToolResult(content=text, meta={ERROR_META: body, **_marked(foreign)}, is_error=True)


def _foreign_words(failure: ToolFailure, body: Mapping[str, Any]) -> list[str]:
    """Pointers to what others wrote in a failure: plans, and messages unless the suite alone speaks in them."""
    ours = {
        "code",
        "hint",
        "backend",
        "approval",
        "rule",
        "retry_after_seconds",
        *(("message",) if failure.code in OWN_MESSAGES else ()),
    }
    return others({name: value for name, value in body.items() if name not in ours})


def _marked(foreign: list[str]) -> dict[str, Any]:
    return {UNTRUSTED_META: foreign} if foreign else {}


def _record(instance: "ConfiguredServer", entry: Entry, seconds: float) -> None:
    entry.duration_ms = round(seconds * 1000, 1)
    instance.metrics.ended(entry, seconds)
    traced.called(entry)
    audit.complete(entry)
    instance.refusals.call(entry)


def _unreadable(error: Exception) -> ToolFailure:
    problem = getattr(error, "problem", None) or str(error)
    return ToolFailure("unavailable", f"the backend's answer cannot be read: {problem}", "check its content")


async def _explained(error: Exception, request: str) -> ToolFailure:
    """By a backend's answer that is not what its API promises, where there is one; else by a fault of ours."""
    broken = await run_in_thread(answers.broken_promise, error) if isinstance(error, answers.UNREADABLE) else None
    return broken or _internal(request)


def _internal(request: str) -> ToolFailure:
    # The whole story goes to the log, redacted, and only its id to the caller.
    with redaction.echoing(None):
        log.error("call %s failed unexpectedly\n%s", request, redaction.text(traceback.format_exc()))
    return ToolFailure("internal", f"internal error, id {request}", "the server's log has the details under this id")


async def _answer(
    instance: "ConfiguredServer", declared: ToolSpec, arguments: Mapping[str, Any], entry: Entry, standing: Standing
) -> ToolResult:
    # Only some arguments can be large: texts that hold a document, and lists and objects of any size.
    large = any(map(is_large, arguments.values()))
    grant = standing.grant
    try:
        named = await run_in_thread(_accepted, declared, arguments) if large else _accepted(declared, arguments)
    except ToolFailure:
        _refuse_withheld(instance, declared, arguments, grant)
        raise
    call = _call(instance, declared, named, arguments, entry, standing)
    effect = declared.effect_of(named)
    entry.effect = effect.value
    grant.check(declared.name, effect)
    instance.rates.take(call.caller, declared.name, effect)
    guard = permitting.guard(instance, declared, named, standing, entry)
    if guard is not None:
        guard.settle(effect)
    account = Account(entry, instance.trail)
    ctx = audit.context_of_request()
    judged = JudgedCall(instance, declared, call, arguments, account, grant, ctx, guard)
    try:
        with anyio.fail_after(call.deadline), identities.answering(call.identity):
            async with instance.backend_slot():
                result = await judged.answer()
                if isinstance(result, ToolResult):
                    entry.answer_bytes = size(result.structured_content) if result.structured_content else 0
                    return result
            content, text = await run_in_thread(finish, result, instance.runtime.answer_tokens)
    except TimeoutError:
        raise _out_of_time(call, judged) from None
    entry.answer_bytes = size(content)
    return ToolResult(content=text, structured_content=content, meta=_marked([] if result.own else others(content)))


def _out_of_time(call: Call, judged: JudgedCall) -> ToolFailure:
    changed = judged.run.so_far() if judged.run else ""
    message = f"{call.tool} did not end within {call.deadline:.0f} s"
    if not changed:
        return timed_out(message, "ask for less, or raise --timeout (KMCP_TIMEOUT)")
    return timed_out(
        f"{message}; {changed}",
        "look at what was changed, then call again for the rest; or raise --timeout (KMCP_TIMEOUT)",
    )


def _refuse_withheld(
    instance: "ConfiguredServer", offered: ToolSpec, arguments: Mapping[str, Any], grant: Grant
) -> None:
    """A call that the whole tool would take, and the part of it that only reads does not, is refused for that."""
    whole = instance.whole(offered.name)
    if whole.by is None or offered.by is not None:
        return
    try:
        values = _accepted(whole, arguments)
    except ToolFailure:
        return  # Its arguments are wrong for the whole tool as well.
    effect = whole.effect_of(values)
    if instance.runtime.read_only:
        raise denied(f"this changes something and the server is read-only (KMCP_READ_ONLY): {offered.name} only reads")
    grant.check(offered.name, effect)


def _accepted(declared: ToolSpec, arguments: Mapping[str, Any]) -> dict[str, Any]:
    # Stored, a mark would stand in place of the real value; only a tool that puts the live value back takes one.
    redaction.refuse_marks({name: value for name, value in arguments.items() if name not in declared.restores})
    named = declared.checked(arguments)
    # Once more as read: in JSON or YAML a mark may be written with escapes.
    redaction.refuse_marks({name: value for name, value in named.items() if name not in declared.restores})
    return named


def _call(
    instance: "ConfiguredServer",
    declared: ToolSpec,
    named: Mapping[str, Any],
    written: Mapping[str, Any],
    entry: Entry,
    standing: Standing,
) -> Call:
    caller, grant = standing.caller, standing.grant
    given = frozenset(name for name, field in declared.arguments.model_fields.items() if named[name] != field.default)
    return Call(
        entry.request,
        declared.name,
        caller.name,
        named,
        _deadline(instance, declared, named),
        _report(audit.context_of_request()),
        given,
        instance.runtime.read_only or grant.effects == {Effect.READ},
        instance.settings.identity_of(caller),
        written,
    )


def _deadline(instance: "ConfiguredServer", declared: ToolSpec, named: Mapping[str, Any]) -> float:
    """That of the settings, longer where the tool takes longer by its nature or the caller asked to wait."""
    # A tool that always waits has the one, a tool that can wait after a change the other.
    asked = named.get("timeout_seconds") or named.get("wait_seconds")
    own = declared.timeout if declared.timeout != DEFAULT_TIMEOUT_SECONDS else 0.0
    base = max(own, instance.runtime.timeout)
    return max(base, float(asked) + GRACE_SECONDS) if isinstance(asked, int | float) and asked else base


def _report(ctx: Context | None) -> Report | None:
    """Progress to the client of this request: redacted like everything that leaves the process, and in one line."""
    if ctx is None:
        return None

    async def report(done: float, total: float | None, message: str) -> None:
        await ctx.report_progress(done, total, one_line(redaction.text(message))[:_LONGEST_PROGRESS])

    return report
