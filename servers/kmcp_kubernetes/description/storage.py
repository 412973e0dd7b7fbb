"""PersistentVolumeClaims: what was requested, what was bound, and which pods use it."""

import asyncio
from collections.abc import Mapping
from typing import Any

from kmcp_kubernetes.description.facts import Detail, Facts, Look, without_none
from kmcp_kubernetes.description.pod_lines import list_lines
from kmcp_kubernetes.reading import event_scan
from kmcp_kubernetes.reading.containers import shortened
from kmcp_runtime import ToolFailure


async def describe_claim(look: Look) -> Facts:
    spec, status = look.spec, look.status
    details = without_none(
        {
            "phase": status.get("phase"),
            "storage_class": spec.get("storageClassName"),
            "access_modes": spec.get("accessModes"),
            "volume_mode": spec.get("volumeMode"),
            "requested": ((spec.get("resources") or {}).get("requests") or {}).get("storage"),
            "capacity": (status.get("capacity") or {}).get("storage"),
            "volume": spec.get("volumeName"),
            "data_source": spec.get("dataSource"),
        }
    )
    # The API cannot list the pods of a claim, so the volumes of all pods in the namespace are searched.
    pods, classes = await asyncio.gather(look.list_objects("pods", look.place.namespace), _read_class(look))
    users = [pod for pod in pods if look.name in claims_of(pod)]
    return Facts(details, [*classes, *await list_lines(look, users)])


async def read_claim_state(look: Look, name: str) -> str:
    """The phase of a claim that a pod names, and why it is not bound; it may also not be there."""
    try:
        claim = await look.kube.read_kind("persistentvolumeclaims", name, look.found["metadata"]["namespace"])
    except ToolFailure as failure:
        return "not found" if failure.code == "not_found" else f"unknown: {failure.message}"
    return await claim_state(look, claim)


async def claim_state(look: Look, claim: Mapping[str, Any]) -> str:
    """`Bound`, or `Pending, class fast: ProvisioningFailed: …`: why is told by the claim's events alone."""
    phase = str((claim.get("status") or {}).get("phase") or "unknown")
    if phase != "Pending":
        return phase
    storage_class = (claim.get("spec") or {}).get("storageClassName")
    # That no volume fits, or that a pod is waited for, is an event of type Normal.
    told = await look.try_reading("events", event_scan.newest_of_reasons(look.kube.api, look.kube.discovery, claim))
    why = next((shortened(f"{each.reason}: {each.message}") for each in told or ()), "")
    return ": ".join(filter(None, [f"{phase}, class {storage_class}" if storage_class else phase, why]))


def claims_of(pod: Mapping[str, Any]) -> list[str]:
    """The names of a pod's claims; an ephemeral volume has one that is named after the pod and the volume."""
    volumes = (pod.get("spec") or {}).get("volumes") or ()
    return [
        str(each["persistentVolumeClaim"]["claimName"])
        if "persistentVolumeClaim" in each
        else f"{pod['metadata']['name']}-{each['name']}"
        for each in volumes
        if "persistentVolumeClaim" in each or "ephemeral" in each
    ]


async def _read_class(look: Look) -> list[Detail]:
    """The claim's StorageClass: without it, or without its provisioner, nothing binds the claim."""
    name = look.spec.get("storageClassName")
    if not name:
        return []
    # Listed by name rather than read: an absent class is then an answer, not a failure.
    found = await look.list_objects("storageclasses.storage.k8s.io", None, field_selector=f"metadata.name={name}")
    if not found:
        return [{"kind": "StorageClass", "name": name, "state": "unknown" if look.warnings else "missing"}]
    # With WaitForFirstConsumer a claim stays Pending until a pod uses it, which is no fault.
    binding = found[0].get("volumeBindingMode", "Immediate")
    return [
        {"kind": "StorageClass", "name": name, "state": f"provisioner {found[0]['provisioner']}, binding {binding}"}
    ]
