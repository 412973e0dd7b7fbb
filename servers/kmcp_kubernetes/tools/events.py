"""What has happened in the cluster recently."""

from datetime import datetime
from typing import Annotated, Literal

from kmcp_kubernetes.arguments import ResourceName, ResourceType
from kmcp_kubernetes.client import Kube
from kmcp_kubernetes.reading import event_scan
from kmcp_runtime import Duration, Effect, Limit, OptionalNamespace, Page, Rule, tool


class Events(Page[event_scan.Event]):
    """Events, newest first."""


@tool(Effect.READ, needs=(Rule("", ("events",), ("list",)),))
async def k8s_get_events(
    kube: Kube,
    namespace: Annotated[OptionalNamespace, "Namespace; none = all"] = None,
    resource_type: ResourceType | None = None,
    resource_name: ResourceName | None = None,
    event_type: Annotated[Literal["Normal", "Warning"] | None, "Severity"] = None,
    since: Annotated[Duration | None, "Not older than"] = None,
    limit: Limit = 50,
) -> Events:
    """Show events newest first: why something does not start, is evicted or fails."""
    kind = (await kube.discovery.resolve(resource_type)).kind if resource_type else None
    selector = event_scan.selector(involvedObject_kind=kind, involvedObject_name=resource_name, type=event_type)
    scan = await event_scan.scan_events(kube.api, kube.discovery, namespace, selector)
    found = _not_older(scan.events, event_scan.since(since) if since is not None else None)
    result = Events(
        items=found[:limit],
        total=len(found) if scan.complete else None,
        truncated=len(found) > limit or not scan.complete,
    )
    if not scan.complete:
        result.warnings = [f"only {event_scan.MOST_SCANNED} events were read; newer ones may be missing"]
    if result.truncated:
        result.hint = "Narrow with namespace, resource_name, event_type=Warning or since."
    elif not found:
        result.hint = await _explain_empty(kube, namespace)
    return result


def _not_older(found: list[event_scan.Event], earliest: datetime | None) -> list[event_scan.Event]:
    return [event for event in found if earliest is None or event_scan.moment(event.last_seen) >= earliest]


async def _explain_empty(kube: Kube, namespace: str | None) -> str:
    if namespace and await kube.namespace_is_missing(namespace):
        raise await kube.explain_missing_namespace(namespace)
    # One hour is the default of kube-apiserver --event-ttl.
    return "No such events: clusters keep them for an hour. k8s_describe_resource shows the state of an object."
