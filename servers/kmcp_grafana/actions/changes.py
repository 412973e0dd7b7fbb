"""Changes: shown as a difference, rehearsed without a request, and sent only when there is something to change."""

from typing import Any

from kmcp_grafana.actions.results import Answer
from kmcp_grafana.client.grafana import Grafana, Request, Row
from kmcp_runtime import Diff, live_state

# A dashboard that is imported anew differs in thousands of lines, and a model reads the first of them only.
_MOST_LINES = 200


async def send_change(
    grafana: Grafana,
    request: Request,
    result: str,
    *,
    before: Any,
    after: Any,
    about: Row | None = None,
    reply: tuple[str, ...] = (),
    link: str | None = None,
) -> Answer:
    """Make a change and answer with its difference.

    `about` identifies what is changed; `reply` names the fields of Grafana's answer that identify what was made.
    Nothing is sent in a dry run, when `before` and `after` are the same, or when `before` is not what was approved.
    """
    live_state.bind(request.path, {"about": about, "before": before})
    diff = Diff(before, after, most_lines=_MOST_LINES)
    answer = Answer(
        item=about,
        result=_told(grafana, result) if diff.changed else "unchanged",
        changed=diff.changed and not grafana.dry_run,
        diff=diff if diff.changed else None,
        url=grafana.link(link) if link else None,
    )
    if grafana.dry_run:
        answer.dry_run = True
        answer.request = request.shown() if diff.changed else None
    # An unchanged dashboard that is saved would get a new version in Grafana all the same.
    elif diff.changed:
        answered = await grafana.send(request)
        answer.item = {**(about or {}), **_pick(answered, reply)} or None
    return answer


async def send_deletion(
    grafana: Grafana,
    request: Request,
    *,
    about: Row,
    takes_along: Row | None = None,
    state: Any = None,
    result: str = "deleted",
) -> Answer:
    """Delete something and answer with what it was; `takes_along` counts or names what goes with it.

    `state` is all of it as Grafana has it, where `about` names a part: an approval is for this state. It holds nothing
    that changes by itself.
    """
    live_state.bind(request.path, {"about": about, "takes_along": takes_along, "state": state})
    item = {**about, **({"takes_along": takes_along} if takes_along else {})}
    answer = Answer(item=item, result=_told(grafana, result), changed=not grafana.dry_run)
    if grafana.dry_run:
        answer.dry_run = True
        answer.request = request.shown()
    else:
        await grafana.send(request)
    return answer


def _told(grafana: Grafana, result: str) -> str:
    return f"would be {result}" if grafana.dry_run else result


def merge_fields(before: Row, given: Row) -> Row:
    """`before` with the given fields put over it, objects field by field: the body of a PUT, which replaces."""
    result = dict(before)
    for key, value in given.items():
        mine = result.get(key)
        result[key] = merge_fields(mine, value) if isinstance(mine, dict) and isinstance(value, dict) else value
    return result


def _pick(answered: Any, fields: tuple[str, ...]) -> Row:
    return {field: answered[field] for field in fields if isinstance(answered, dict) and answered.get(field)}
