"""Pods: containers with their state, probes and resources, volumes, and what a pod needs from a node."""

import asyncio
from collections.abc import Mapping
from typing import Any

from kmcp_kubernetes.description.facts import Detail, Facts, Look, pairs, without_none
from kmcp_kubernetes.description.scheduling import needs_of_nodes
from kmcp_kubernetes.description.storage import read_claim_state
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
            "ip": ", ".join(each["ip"] for each in status.get("podIPs") or ()) or status.get("podIP"),
            "started": status.get("startTime"),
            "qos": status.get("qosClass"),
            "service_account": spec.get("serviceAccountName"),
            "restart_policy": spec.get("restartPolicy"),
            "nominated_node": status.get("nominatedNodeName"),
            **needs_of_nodes(spec),
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
    states = await asyncio.gather(*(read_claim_state(look, name) for name in claims))
    found = [
        {"kind": "PersistentVolumeClaim", "name": name, "state": state}
        for name, state in zip(claims, states, strict=True)
    ]
    return Facts(details, related + found)


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
    if kind == "projected":
        return f"{each['name']}: projected {', '.join(_projection(part) for part in source.get('sources') or ())}"
    reference = next((source[key] for key in _REFERENCES if source.get(key)), "")
    more = [f"{word} {source[key]}" for key, word in _OF_VOLUMES.items() if source.get(key)]
    more += [word for key, word in (("readOnly", "read-only"), ("optional", "optional")) if source.get(key)]
    keys = [f"{item.get('key', '')} as {item['path']}" for item in source.get("items") or ()]
    return ", ".join([f"{each['name']}: {kind} {reference}".rstrip(), *more, *keys])


_REFERENCES = ("claimName", "secretName", "name", "path", "driver", "server", "volumeID", "pdName", "diskName")
_OF_VOLUMES = {"medium": "medium", "sizeLimit": "at most", "type": "type", "fsType": "file system"}


def _projection(part: Mapping[str, Any]) -> str:
    kind = next(iter(part), "")
    source = part.get(kind) or {}
    seconds = f" for {source['expirationSeconds']}s" if source.get("expirationSeconds") else ""
    return f"{kind} {source.get('name') or source.get('path') or ''}".rstrip() + seconds
