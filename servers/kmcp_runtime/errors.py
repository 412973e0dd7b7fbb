"""The one error model of the suite: what went wrong, in the backend's words, and the next step.

    ToolFailure
     ├─ code      one of `Code`
     ├─ message   the cause; holds the backend's own words
     ├─ hint      the next step, as a tool call where there is one
     ├─ backend   who said so (`kube-apiserver`, `prometheus`, …), absent when the suite itself refused
     └─ details   further fields of the body (`plan` and `approval` of an `approval_required`)

A failure is raised anywhere below a tool and becomes a tool result with `isError` at one place (`call`).
"""

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args

Code = Literal[
    "bad_argument",
    "not_found",
    "forbidden",
    "denied",
    "approval_required",
    "conflict",
    "unavailable",
    "timed_out",
    "too_large",
    "rate_limited",
    "internal",
]
CODES: tuple[Code, ...] = get_args(Code)
OWN_MESSAGES = frozenset({"denied", "approval_required", "rate_limited", "internal"})
"""Codes whose message is in the suite's own words alone; any other may repeat a backend's words or an object's name."""
ERROR_META = "kmcp-suite/error"
"""The key of a tool result's `_meta` that holds the body of a failure."""


class ToolFailure(Exception):
    """A failure that a caller can understand and act on."""

    rule = ""
    """What refused the call, as the audit names it, where `details` do not say it to the caller."""

    def __init__(
        self,
        code: Code,
        message: str,
        hint: str | None = None,
        *,
        backend: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.backend = backend
        self.details = dict(details or {})

    def body(self) -> dict[str, Any]:
        """The error as callers see it: `{code, message, hint?, backend?, …details}`."""
        known = {"code": self.code, "message": self.message, "hint": self.hint, "backend": self.backend}
        return {key: value for key, value in (known | self.details).items() if value is not None}


def bad_argument(message: str, hint: str | None = None) -> ToolFailure:
    """The caller's argument cannot be meant so; `hint` says what to write."""
    return ToolFailure("bad_argument", message, hint)


def not_found(message: str, hint: str | None = None, *, backend: str | None = None) -> ToolFailure:
    """The object is not there, or there is no way to it."""
    return ToolFailure("not_found", message, hint, backend=backend)


def forbidden(message: str, hint: str | None = None, *, backend: str | None = None) -> ToolFailure:
    """The backend refuses this identity."""
    return ToolFailure("forbidden", message, hint, backend=backend)


def denied(message: str, hint: str | None = None) -> ToolFailure:
    """The suite refuses by its own policy: read-only mode, an allowlist, a person's no."""
    return ToolFailure("denied", message, hint)


def conflict(message: str, hint: str | None = None, *, backend: str | None = None) -> ToolFailure:
    """The state of the backend does not allow it now."""
    return ToolFailure("conflict", message, hint, backend=backend)


def unavailable(message: str, hint: str | None = None, *, backend: str | None = None) -> ToolFailure:
    """The backend cannot be reached or used; `hint` says what to set."""
    return ToolFailure("unavailable", message, hint, backend=backend)


def timed_out(message: str, hint: str | None = None, *, backend: str | None = None) -> ToolFailure:
    """There was no answer within the deadline."""
    return ToolFailure("timed_out", message, hint, backend=backend)


def rate_limited(message: str, seconds: int) -> ToolFailure:
    """The caller has made too many calls; `seconds` is how long to wait, in the body as `retry_after_seconds`."""
    hint = f"wait {seconds} s before the next call"
    return ToolFailure("rate_limited", message, hint, details={"retry_after_seconds": seconds})


def too_large(message: str, hint: str | None = None, *, backend: str | None = None) -> ToolFailure:
    """What would be answered or sent is too large."""
    return ToolFailure("too_large", message, hint, backend=backend)


_NAME = re.compile(r"[^\s\"'`<>]{1,253}")
_LONGEST_QUOTED = 80
_LONGEST_NAME = 253
"""What is longer is no misspelt name, and to compare it would take seconds."""


def quoted(word: str) -> str:
    """A word of a backend's as a hint may show it: a name as it is; a text, which could speak, short and in quotes."""
    if _NAME.fullmatch(word) and word.isprintable():
        return word
    return json.dumps(word[:_LONGEST_QUOTED], ensure_ascii=False)


def quoted_list(words: Iterable[str]) -> str:
    """Words of a backend's, separated by commas, as a hint may show them."""
    return ", ".join(quoted(str(word)) for word in words)


def nearest(word: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The known words closest to a misspelt one, best first; empty when none is close."""
    if len(word) > _LONGEST_NAME:
        return []
    # Models often err in case alone (`Deployment`, `deployment`), which difflib counts as a difference.
    by_lower = {candidate.lower(): candidate for candidate in known}
    return [by_lower[match] for match in difflib.get_close_matches(word.lower(), by_lower, n=count, cutoff=0.6)]


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """`did you mean a, b?`, or None when nothing is close."""
    close = nearest(word, known)
    return f"did you mean {quoted_list(close)}?" if close else None


def suggesting(message: str, word: str, known: Iterable[str]) -> str:
    """The message, with `: did you mean a, b?` behind it where something known is close to the word."""
    suggestion = did_you_mean(word, known)
    return f"{message}: {suggestion}" if suggestion else message
