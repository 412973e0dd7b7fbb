"""Workloads: how many replicas there are and should be, what they run, their pods, revisions and autoscalers."""

import asyncio
from typing import Any

from kmcp_kubernetes.description.facts import (
    Detail,
    Facts,
    Look,
    gather_details,
    owners,
    pairs,
    some,
    without_none,
)
from kmcp_kubernetes.description.pod_lines import list_lines
from kmcp_kubernetes.description.pods import template
from kmcp_kubernetes.description.scheduling import needs_of_nodes
from kmcp_kubernetes.description.storage import claim_state
from kmcp_kubernetes.description.volumes import requested, volume
from kmcp_runtime.kube.objects import Object
from kmcp_runtime.kube.selectors import selector_of

_CLAIMS_ASKED = 3
"""Claims whose events are read."""
# The deployment controller numbers a Deployment and its ReplicaSets with this annotation.
REVISION = "deployment.kubernetes.io/revision"


async def describe_workload(look: Look) -> Facts:
    spec = look.spec
    selector = selector_of(spec)
    details = without_none(
        {
            "replicas": _replicas(look),
            "paused": spec.get("paused"),
            "strategy": _strategy(spec.get("strategy") or spec.get("updateStrategy")),
            "selector": selector,
            "min_ready_seconds": spec.get("minReadySeconds"),
            "progress_deadline_seconds": spec.get("progressDeadlineSeconds"),
            "service_name": spec.get("serviceName"),
            "pod_management": spec.get("podManagementPolicy"),
            "claim_templates": [
                f"{each['metadata']['name']}: {requested(each)}" for each in spec.get("volumeClaimTemplates") or ()
            ],
            **_template(spec.get("template") or {}),
        }
    )
    of_deployment = look.place.kind.kind == "Deployment"
    readings = [
        _list_of_deployment(look, selector) if of_deployment else _list_pods(look, selector),
        look.list_autoscalers(),
    ]
    if spec.get("volumeClaimTemplates"):
        readings.append(_list_claims(look))
    return Facts(details, await gather_details(*readings))


async def describe_job(look: Look) -> Facts:
    spec, status = look.spec, look.status
    details = without_none(
        {
            "completions": spec.get("completions"),
            "parallelism": spec.get("parallelism"),
            "completion_mode": spec.get("completionMode"),
            "selector": selector_of(spec),
            "backoff_limit": spec.get("backoffLimit"),
            "backoff_limit_per_index": spec.get("backoffLimitPerIndex"),
            "pod_failure_policy": (spec.get("podFailurePolicy") or {}).get("rules"),
            "active_deadline_seconds": spec.get("activeDeadlineSeconds"),
            "ttl_seconds_after_finished": spec.get("ttlSecondsAfterFinished"),
            "suspended": spec.get("suspend"),
            "active": status.get("active", 0),
            "succeeded": status.get("succeeded", 0),
            "failed": status.get("failed", 0),
            "completed_indexes": status.get("completedIndexes"),
            "failed_indexes": status.get("failedIndexes"),
            "started": status.get("startTime"),
            "completed": status.get("completionTime"),
            **_template(spec.get("template") or {}),
        }
    )
    return Facts(details, await _list_pods(look, selector_of(spec)))


async def describe_cron_job(look: Look) -> Facts:
    spec, status = look.spec, look.status
    details = without_none(
        {
            "schedule": spec.get("schedule"),
            "time_zone": spec.get("timeZone"),
            "suspended": spec.get("suspend"),
            "concurrency": spec.get("concurrencyPolicy"),
            "starting_deadline_seconds": spec.get("startingDeadlineSeconds"),
            "kept_successful_jobs": spec.get("successfulJobsHistoryLimit"),
            "kept_failed_jobs": spec.get("failedJobsHistoryLimit"),
            "last_scheduled": status.get("lastScheduleTime"),
            "last_successful": status.get("lastSuccessfulTime"),
            "active": len(status.get("active") or ()),
            **_job((spec.get("jobTemplate") or {}).get("spec") or {}),
        }
    )
    # A CronJob has no selector: only their owner shows which Jobs are its own.
    jobs = await look.list_owned("jobs.batch", None)
    jobs.sort(key=lambda item: str(item["metadata"].get("creationTimestamp")), reverse=True)
    # The default history limits keep three Jobs that succeeded and one that failed.
    return Facts(details, some((_job_line(item) for item in jobs), 5))


def _job(spec: Detail) -> Detail:
    """What a CronJob says of its Jobs."""
    return {
        "completions": spec.get("completions"),
        "parallelism": spec.get("parallelism"),
        "backoff_limit": spec.get("backoffLimit"),
        "active_deadline_seconds": spec.get("activeDeadlineSeconds"),
        "ttl_seconds_after_finished": spec.get("ttlSecondsAfterFinished"),
        **_template(spec.get("template") or {}),
    }


async def _list_claims(look: Look) -> list[Detail]:
    """The claims that were made of the templates; their names are those of the templates, the set and a number."""
    stems = tuple(f"{each['metadata']['name']}-{look.name}-" for each in look.spec["volumeClaimTemplates"])
    found = await look.list_objects("persistentvolumeclaims", look.place.namespace)
    mine = [each for each in found if each["metadata"]["name"].startswith(stems)]
    numbered = [each for each in mine if each["metadata"]["name"].rpartition("-")[2].isdigit()]
    # Of one template, they wait for the same: the first ones tell.
    states = await asyncio.gather(*(claim_state(look, each) for each in numbered[:_CLAIMS_ASKED]))
    states += [str((each.get("status") or {}).get("phase") or "unknown") for each in numbered[_CLAIMS_ASKED:]]
    named = zip(numbered, states, strict=True)
    return some(
        {"kind": "PersistentVolumeClaim", "name": each["metadata"]["name"], "state": state} for each, state in named
    )


def _job_line(item: Detail) -> Detail:
    status = item.get("status") or {}
    counts = ", ".join(f"{status.get(word, 0)} {word}" for word in ("active", "succeeded", "failed"))
    return {"kind": "Job", "name": item["metadata"]["name"], "state": counts}


def _replicas(look: Look) -> Detail:
    """Desired and actual replicas, whichever fields the kind has for them."""
    spec, status = look.spec, look.status
    # A DaemonSet has no replicas; its status counts nodes.
    if look.place.kind.kind == "DaemonSet":
        return {
            "desired": status.get("desiredNumberScheduled", 0),
            "current": status.get("currentNumberScheduled", 0),
            "misscheduled": status.get("numberMisscheduled", 0),
            "updated": status.get("updatedNumberScheduled", 0),
            "ready": status.get("numberReady", 0),
            "available": status.get("numberAvailable", 0),
        }
    counts = {"desired": spec.get("replicas", 1), "current": status.get("replicas", 0)}
    # The API leaves out a zero, so for these two kinds an absent count is 0; a ReplicaSet has no such count.
    if "updatedReplicas" in status or look.place.kind.kind in ("Deployment", "StatefulSet"):
        counts["updated"] = status.get("updatedReplicas", 0)
    return {**counts, "ready": status.get("readyReplicas", 0), "available": status.get("availableReplicas", 0)}


def _strategy(strategy: Detail | None) -> str | None:
    if not strategy:
        return None
    rolling = strategy.get("rollingUpdate") or {}
    return f"{strategy.get('type', '')} {pairs(rolling) or ''}".strip()


def _template(found: Detail) -> Detail:
    spec: dict[str, Any] = found.get("spec") or {}
    metadata = found.get("metadata") or {}
    return {
        "pod_labels": pairs(metadata.get("labels")),
        "pod_annotations": pairs(metadata.get("annotations")),
        "service_account": spec.get("serviceAccountName"),
        **needs_of_nodes(spec),
        "containers": [
            {"name": each["name"], "image": each["image"], **template(each)} for each in spec.get("containers") or ()
        ],
        "init_containers": [
            {"name": each["name"], "image": each["image"], **template(each)}
            for each in spec.get("initContainers") or ()
        ],
        "volumes": [volume(each) for each in spec.get("volumes") or ()],
    }


async def _list_pods(look: Look, selector: str | None) -> list[Detail]:
    """Pods that belong to the workload, those with problems first."""
    if selector is None:
        return []
    found = await look.list_objects("pods", look.place.namespace, selector=selector)
    return await list_lines(look, [item for item in found if look.uid in owners(item)])


async def _list_of_deployment(look: Look, selector: str | None) -> list[Detail]:
    """ReplicaSets, and the pods that belong to them, those with problems first."""
    sets, found = await asyncio.gather(
        look.list_owned("replicasets.apps", selector),
        look.list_objects("pods", look.place.namespace, selector=selector),
    )
    own = {item["metadata"]["uid"] for item in sets}
    return [*_replica_sets(sets), *await list_lines(look, [item for item in found if own & owners(item)])]


def _replica_sets(sets: list[Object]) -> list[Detail]:
    sets.sort(key=lambda item: int((item["metadata"].get("annotations") or {}).get(REVISION, 0)), reverse=True)
    # Ten old ReplicaSets are kept by default (revisionHistoryLimit); the newest ones explain a rollout.
    return some((_replica_set(item) for item in sets), 5)


def _replica_set(item: Detail) -> Detail:
    status, revision = item.get("status") or {}, (item["metadata"].get("annotations") or {}).get(REVISION, "?")
    state = f"revision {revision}, {status.get('readyReplicas', 0)}/{item['spec'].get('replicas', 0)} ready"
    return {"kind": "ReplicaSet", "name": item["metadata"]["name"], "state": state}
