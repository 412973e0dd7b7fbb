"""Lists of rollouts and experiments."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from kmcp_argo.client import Argo
from kmcp_argo.rollouts import analysis, rollout_status
from kmcp_runtime import AllNamespaces, Cursor, Effect, Limit, OptionalNamespace, Page, Rule, Selector, tool
from kmcp_runtime.kube import pages


class Rollouts(Page[rollout_status.Row | analysis.Experiment]):
    """Rollouts or experiments, by namespace and name."""


@tool(Effect.READ, needs=(Rule("argoproj.io", ("rollouts", "experiments"), ("list",)),))
async def argo_rollouts_list(
    argo: Argo,
    namespace: OptionalNamespace = None,
    all_namespaces: AllNamespaces = True,
    type: Annotated[Literal["rollouts", "experiments"], "What to list"] = "rollouts",
    selector: Selector = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Rollouts:
    """List rollouts with status, step, weight and pods, or experiments; start here."""
    place = await argo.resolve_place(type, namespace, all_namespaces)
    bound_to = {"context": argo.context.name, "type": type, "namespace": place.namespace, "selector": selector}
    query = pages.Query(place.kind, place.namespace, selector, None, limit, "objects")
    page = await pages.fetch(argo.api, query, cursor, bound_to)
    now = datetime.now(UTC)
    result = Rollouts(
        items=[
            rollout_status.row(each) if type == "rollouts" else analysis.experiment(each, now) for each in page.items
        ],
        total=page.total,
        truncated=page.next_token is not None,
        cursor=page.cursor(bound_to),
        # A last page may be empty without the list being so.
        hint=None if page.items or page.before else _why_empty(type, place.namespace, selector),
    )
    result.continues_at(page.cursor_at(bound_to))
    return result


def _why_empty(plural: str, namespace: str | None, selector: str | None) -> str:
    where = f"namespace {namespace}" if namespace else "the cluster"
    matching = " match the selector" if selector else ""
    wider = "; omit namespace to list all" if namespace else ""
    return f"No {plural} in {where}{matching}{wider}."
