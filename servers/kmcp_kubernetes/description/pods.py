"""Pods: containers with their state, probes and resources, volumes, and what a pod needs from a node."""

import asyncio
from collections.abc import Mapping
from typing import Any

from kmcp_kubernetes.description.facts import Detail, Facts, Look, pairs, without_none
from kmcp_kubernetes.description.scheduling import needs_of_nodes
from kmcp_kubernetes.description.storage import claims_of, read_claim_state
from kmcp_kubernetes.description.volumes import volume
from kmcp_kubernetes.reading import containers
from kmcp_runtime.kube import workloads

_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


async def describe_pod(look: Look) -> Facts:
    spec, status = look.spec, look.status
    details = without_none(
        {
            "phase": status.get("phase"),
            "reason": status.get("reason"),
            "message": status.get("message"),
            "node": spec.get("nodeName"),
            "ip": ", ".join(each["ip"] for each in status.get("podIPs") or ()) or status.get("podIP"),
            "started": status.get("startTime"),
            "qos": status.get("qosClass"),
            "service_account": spec.get("serviceAccountName"),
            "restart_policy": spec.get("restartPolicy"),
            "nominated_node": status.get("nominatedNodeName"),
            "problem": _unscheduled(look.found),
            "scheduling_gates": [each["name"] for each in spec.get("schedulingGates") or ()],
            "readiness_gates": [_gate(look.found, each) for each in spec.get("readinessGates") or ()],
            **needs_of_nodes(spec),
            "containers": [_container(look.found, each) for each in spec.get("containers") or ()],
            "init_containers": [_container(look.found, each) for each in spec.get("initContainers") or ()],
            "ephemeral_containers": [_container(look.found, each) for each in spec.get("ephemeralContainers") or ()],
            "volumes": [volume(each) for each in spec.get("volumes") or ()],
        }
    )
    claims = claims_of(look.found)
    owners = look.found["metadata"].get("ownerReferences") or ()
    related = [{"kind": owner["kind"], "name": owner["name"], "state": "owner"} for owner in owners]
    states = await asyncio.gather(*(read_claim_state(look, name) for name in claims))
    found = [
        {"kind": "PersistentVolumeClaim", "name": name, "state": state}
        for name, state in zip(claims, states, strict=True)
    ]
    return Facts(details, related + found)


def _unscheduled(found: Mapping[str, Any]) -> str | None:
    """Why a pod has no node where no condition says it: its scheduler may not exist."""
    return None if workloads.condition(found, "PodScheduled") else containers.why_pod_waits(found)


def _gate(found: Mapping[str, Any], gate: Mapping[str, Any]) -> str:
    """`example.com/open: False`; what sets the condition of a gate may never have done so."""
    kind = str(gate["conditionType"])
    return f"{kind}: {workloads.condition(found, kind).get('status') or 'not set'}"


def _container(found: Mapping[str, Any], container: Mapping[str, Any]) -> Detail:
    status = containers.status(found, container["name"])
    on_node = bool((found.get("spec") or {}).get("nodeName"))
    return without_none(
        {
            "name": container["name"],
            "image": container["image"],
            # Which content a tag stood for; an image that is named by its digest says it already.
            "image_id": None if "@" in container["image"] else status.get("imageID") or None,
            "state": containers.state_in_words(status.get("state"))
            if status or on_node
            else "not started: the pod has no node",
            "ready": status.get("ready"),
            "restarts": status.get("restartCount"),
            "last_termination": containers.last_termination(status),
            **template(container),
        }
    )


def template(container: Mapping[str, Any]) -> Detail:
    """A container's declaration: command, ports, resources, probes, mounts."""
    resources = container.get("resources") or {}
    return without_none(
        {
            "command": list(container.get("command") or ()),
            "args": list(container.get("args") or ()),
            "ports": [_port(port) for port in container.get("ports") or ()],
            "requests": pairs(resources.get("requests")),
            "limits": pairs(resources.get("limits")),
            "restart_policy": container.get("restartPolicy"),
            "env": [_variable(each) for each in container.get("env") or ()],
            "env_from": [_source(each) for each in container.get("envFrom") or ()],
            "probes": {name: _probe(container[name]) for name in _PROBES if name in container},
            "mounts": [_mount(each) for each in container.get("volumeMounts") or ()],
            "devices": [f"{each['devicePath']} from {each['name']}" for each in container.get("volumeDevices") or ()],
        }
    )


def _mount(mount: Mapping[str, Any]) -> str:
    below = mount.get("subPath") or mount.get("subPathExpr")
    words = f"{mount['mountPath']} from {mount['name']}" + (f", path {below}" if below else "")
    return f"{words}, read-only" if mount.get("readOnly") else words


def _source(each: Mapping[str, Any]) -> str:
    """A ConfigMap or Secret whose keys are all variables."""
    kind = "Secret" if "secretRef" in each else "ConfigMap"
    reference = each.get("secretRef") or each.get("configMapRef") or {}
    prefix = f", prefix {each['prefix']}" if each.get("prefix") else ""
    return f"{kind} {reference.get('name', '')}{prefix}{', optional' if reference.get('optional') else ''}"


def _port(port: Mapping[str, Any]) -> str:
    named = f" ({port['name']})" if port.get("name") else ""
    host = f", host port {port['hostPort']}" if port.get("hostPort") else ""
    return f"{port['containerPort']}/{port.get('protocol', 'TCP')}{named}{host}"


def _variable(each: Mapping[str, Any]) -> Detail:
    source = each.get("valueFrom")
    if not source:
        return {"name": each["name"], "value": each.get("value", "")}
    # valueFrom has exactly one member, and its key says what kind of source it is.
    kind, reference = next(iter(source.items()))
    words = [str(reference[key]) for key in _OF_SOURCES if reference.get(key)]
    return {
        "name": each["name"],
        "from": " ".join([kind, *words]) + (", optional" if reference.get("optional") else ""),
    }


_OF_SOURCES = ("name", "fieldPath", "containerName", "resource", "volumeName", "path", "key")
"""Fields of the sources of a variable, in the order in which they are said."""


def _probe(probe: Mapping[str, Any]) -> str:
    # The API's defaults: every 10 s, 3 failures, a timeout of 1 s, no delay, 1 success.
    timing = f"every {probe.get('periodSeconds', 10)}s, fails after {probe.get('failureThreshold', 3)}"
    first = f", first after {probe['initialDelaySeconds']}s" if probe.get("initialDelaySeconds") else ""
    passes = f", passes after {probe['successThreshold']}" if probe.get("successThreshold", 1) > 1 else ""
    return f"{_action(probe)}, {timing}, timeout {probe.get('timeoutSeconds', 1)}s{first}{passes}"


def _action(probe: Mapping[str, Any]) -> str:
    if "httpGet" in probe:
        asked = probe["httpGet"]
        scheme = "" if asked.get("scheme", "HTTP") == "HTTP" else f"{asked['scheme']} "
        return f"{scheme}GET {asked.get('path', '/')} on port {asked['port']}{_host(asked)}"
    if "tcpSocket" in probe:
        return f"connect to port {probe['tcpSocket']['port']}{_host(probe['tcpSocket'])}"
    if "grpc" in probe:
        service = f", service {probe['grpc']['service']}" if probe["grpc"].get("service") else ""
        return f"gRPC on port {probe['grpc']['port']}{service}"
    return "run " + " ".join((probe.get("exec") or {}).get("command") or ())


def _host(asked: Mapping[str, Any]) -> str:
    """A probe that asks another host than its pod tells nothing about the pod."""
    return f" of {asked['host']}" if asked.get("host") else ""
