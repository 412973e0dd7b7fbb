"""Pods: containers with their state, probes and resources, volumes, and what a pod needs from a node."""

from collections.abc import Mapping
from typing import Any

from kmcp_kubernetes.description.facts import Detail, Facts, Look, pairs, without_none
from kmcp_kubernetes.reading import containers

_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


async def describe_pod(look: Look) -> Facts:
    spec, status = look.spec, look.status
    details = without_none(
        {
            "phase": status.get("phase"),
            "reason": status.get("reason"),
            "message": status.get("message"),
            "node": spec.get("nodeName"),
            "ip": status.get("podIP"),
            "qos": status.get("qosClass"),
            "service_account": spec.get("serviceAccountName"),
            "restart_policy": spec.get("restartPolicy"),
            "priority_class": spec.get("priorityClassName"),
            "node_selector": pairs(spec.get("nodeSelector")),
            "containers": [_container(look.found, each) for each in spec.get("containers") or ()],
            "init_containers": [_container(look.found, each) for each in spec.get("initContainers") or ()],
            "ephemeral_containers": [_container(look.found, each) for each in spec.get("ephemeralContainers") or ()],
            "volumes": [volume(each) for each in spec.get("volumes") or ()],
        }
    )
    claims = [
        each["persistentVolumeClaim"]["claimName"]
        for each in spec.get("volumes") or ()
        if "persistentVolumeClaim" in each
    ]
    owners = look.found["metadata"].get("ownerReferences") or ()
    related = [{"kind": owner["kind"], "name": owner["name"], "state": "owner"} for owner in owners]
    return Facts(
        details, related + [{"kind": "PersistentVolumeClaim", "name": name, "state": "mounted"} for name in claims]
    )


def _container(found: Mapping[str, Any], container: Mapping[str, Any]) -> Detail:
    status = containers.status(found, container["name"])
    return without_none(
        {
            "name": container["name"],
            "image": container["image"],
            "state": containers.state_in_words(status.get("state")),
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
            "command": [*(container.get("command") or ()), *(container.get("args") or ())],
            "ports": [_port(port) for port in container.get("ports") or ()],
            "requests": pairs(resources.get("requests")),
            "limits": pairs(resources.get("limits")),
            "env": [_variable(each) for each in container.get("env") or ()],
            "probes": {name: _probe(container[name]) for name in _PROBES if name in container},
            "mounts": [f"{mount['mountPath']} from {mount['name']}" for mount in container.get("volumeMounts") or ()],
        }
    )


def _port(port: Mapping[str, Any]) -> str:
    named = f" ({port['name']})" if port.get("name") else ""
    return f"{port['containerPort']}/{port.get('protocol', 'TCP')}{named}"


def _variable(each: Mapping[str, Any]) -> Detail:
    source = each.get("valueFrom")
    if not source:
        return {"name": each["name"], "value": each.get("value", "")}
    # valueFrom has exactly one member, and its key says what kind of source it is.
    kind, reference = next(iter(source.items()))
    return {
        "name": each["name"],
        "from": f"{kind} {reference.get('name', reference.get('fieldPath', ''))} {reference.get('key', '')}".strip(),
    }


def _probe(probe: Mapping[str, Any]) -> str:
    # 10 s, 3 failures and 1 s are the API's defaults for a probe.
    timing = f"every {probe.get('periodSeconds', 10)}s, fails after {probe.get('failureThreshold', 3)}"
    if "httpGet" in probe:
        action = f"GET {probe['httpGet'].get('path', '/')} on port {probe['httpGet']['port']}"
    elif "tcpSocket" in probe:
        action = f"connect to port {probe['tcpSocket']['port']}"
    elif "grpc" in probe:
        action = f"gRPC on port {probe['grpc']['port']}"
    else:
        action = "run " + " ".join((probe.get("exec") or {}).get("command") or ())
    return f"{action}, {timing}, timeout {probe.get('timeoutSeconds', 1)}s"


def volume(each: Mapping[str, Any]) -> str:
    # A volume has a name and one source, whose key is the type; without a source it is an emptyDir.
    kind = next((key for key in each if key != "name"), "emptyDir")
    source: Mapping[str, Any] = each.get(kind) or {}
    reference = next(
        (source[key] for key in ("claimName", "secretName", "name", "path", "driver") if source.get(key)), ""
    )
    return f"{each['name']}: {kind} {reference}".rstrip()


def _is_trouble(state: Mapping[str, Any]) -> bool:
    # Exit code 0 is no trouble: the containers of a Job end that way.
    return "waiting" in state or bool((state.get("terminated") or {}).get("exitCode"))


def in_a_line(found: Mapping[str, Any]) -> str:
    """A pod's readiness and its first problem, for lists of related pods."""
    status = found.get("status") or {}
    statuses = status.get("containerStatuses") or ()
    ready = sum(bool(each.get("ready")) for each in statuses)
    trouble = [containers.state_in_words(each["state"]) for each in statuses if _is_trouble(each.get("state") or {})]
    restarts = sum(each.get("restartCount", 0) for each in statuses)
    words = [
        f"{status.get('phase', 'Unknown')}, {ready}/{len((found.get('spec') or {}).get('containers') or ())} ready"
    ]
    words += [f"{restarts} restarts"] if restarts else []
    return ", ".join([*words, *trouble[:1]])
