"""JSON patches that would show what is hidden: by comparing it, carrying it elsewhere, or renaming its place."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kmcp_runtime.errors import ToolFailure, bad_argument, too_large
from kmcp_runtime.json_patch import check_operations, read_steps, same_json, split_pointer
from kmcp_runtime.redaction.marks import find_mark
from kmcp_runtime.redaction.structures import hide_in_value
from kmcp_runtime.served_patch import apply_served, as_rfc

Steps = tuple[str, ...]
_MOST = 50
_READ = {"test": "path", "copy": "from", "move": "from"}
"""What an operation reads of an object, by the name of its pointer."""


def refuse_exposure(operations: Sequence[Mapping[str, Any]], live: Any, argument: str) -> None:
    """Refuse the first operation that would show what answers hide of `live`. Errors: `bad_argument`, `too_large`."""
    state, hidden = live, set(_hidden(live, hide_in_value(live)))
    if not hidden:
        return
    if len(operations) > _MOST:
        # The whole object is looked through after each.
        raise too_large(
            f"{argument}: more than {_MOST} operations on an object of which something is hidden",
            "send them in several calls",
        )
    check_operations(operations, argument)
    for number, operation in enumerate(operations):
        if not hidden:
            return
        where = f"{argument}[{number}] ({operation['op']} {operation['path'] or 'the whole object'})"
        pointer = operation.get(_READ.get(operation["op"], ""))
        read = () if pointer is None else tuple(split_pointer(as_rfc(state, pointer), argument))
        if pointer is not None and any(_overlap(read, each) for each in hidden):
            raise bad_argument(
                f"{where}: what is hidden is neither compared nor copied, since that would show what it is",
                "use add, replace and remove with new values",
            )
        # Where it fails, what follows cannot be judged: whoever applies the patch might take what is refused here.
        after = apply_served(state, operation, where)
        still = set(_hidden(after, hide_in_value(after)))
        if any(_same_at(place, state, after) for place in hidden - still):
            raise bad_argument(
                f"{where}: this would show a value that is hidden now", "set the value itself in the same operation"
            )
        state, hidden = after, still


def _hidden(live: Any, shown: Any, steps: Steps = ()) -> Iterator[Steps]:
    """The places whose values an answer does not show."""
    if isinstance(live, Mapping) and isinstance(shown, Mapping):
        for key in live:
            yield from _hidden(live[key], shown.get(key), (*steps, str(key)))
    elif isinstance(live, list) and isinstance(shown, list) and len(live) == len(shown):
        for index, (item, as_shown) in enumerate(zip(live, shown, strict=True)):
            yield from _hidden(item, as_shown, (*steps, str(index)))
    elif find_mark(shown) is not None:
        yield steps


def _overlap(steps: Steps, place: Steps) -> bool:
    """At, above or below."""
    return all(one == other for one, other in zip(steps, place, strict=False))


def _same_at(place: Steps, before: Any, after: Any) -> bool:
    try:
        return same_json(read_steps(before, list(place)), read_steps(after, list(place)))
    except ToolFailure:
        return False  # It is gone.
