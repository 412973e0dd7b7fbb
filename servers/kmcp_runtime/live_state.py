"""What a plan found live: bound while the plan is made, and compared when it is carried out.

A yes is for these objects in this state. Tools that destroy call `bind` with each object that they are about to
destroy, in a dry run as well as in the real run; where the object is another one by then, the real run ends there.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from kmcp_runtime.errors import conflict

_found: ContextVar[dict[str, str] | None] = ContextVar("found_by_the_plan", default=None)
_approved: ContextVar[dict[str, str] | None] = ContextVar("approved_states", default=None)


@contextmanager
def planning() -> Iterator[dict[str, str]]:
    """Collect what is bound meanwhile: the name of each object and a digest of its state."""
    found: dict[str, str] = {}
    token = _found.set(found)
    try:
        yield found
    finally:
        _found.reset(token)


@contextmanager
def acting(approved: Mapping[str, str] | None) -> Iterator[None]:
    """Refuse meanwhile to bind what is not in the state that was approved; None where nothing had to be."""
    token = _approved.set(None if approved is None else dict(approved))
    try:
        yield
    finally:
        _approved.reset(token)


def bind(name: str, state: Any) -> None:
    """Tie the approval of this call to an object (`ConfigMap a/b`) in its state, which is anything that JSON holds.

    Errors: `conflict` when the call is carried out and this is not what was approved. Call it before anything is sent.
    """
    digest = _digest(state)
    found, approved = _found.get(), _approved.get()
    if found is not None:
        found[name] = digest
    if approved is not None and approved.get(name) != digest:
        raise conflict(f"{name} has changed since the plan was made; nothing was destroyed", "make a new plan")


def moved(name: str, state: Any) -> None:
    """An approved object is in this state now by what the call itself has done: a later step may go on from there."""
    approved = _approved.get()
    if approved is not None and name in approved:
        approved[name] = _digest(state)


def _digest(state: Any) -> str:
    return hashlib.sha256(json.dumps(state, sort_keys=True, default=str).encode()).hexdigest()
