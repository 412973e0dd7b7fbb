"""Objects of the API with every field that some tool reads, whatever their kind."""

import base64
import gzip
import json
from random import Random
from typing import Any

from tests.fuzz.hostile_answers import CANARY, PLANTED

_ENCODED = base64.b64encode(PLANTED.encode()).decode()
NOW = "2026-11-01T00:00:00Z"
_META = {
    "name": "web",
    "namespace": "default",
    "uid": "11111111-2222-3333-4444-555555555555",
    "resourceVersion": "7",
    "generation": 3,
    "creationTimestamp": NOW,
    "labels": {"app": "web", "k8s-app": "cilium", "gateway.networking.k8s.io/gateway-name": "web", "owner": "helm"},
    "annotations": {"note": CANARY, "deployment.kubernetes.io/revision": "3", "rollout.argoproj.io/revision": "3"},
    "ownerReferences": [
        {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "u", "controller": True}
    ],
    "finalizers": ["example.com/hold"],
    "managedFields": [{"manager": "kubectl", "operation": "Apply", "fieldsV1": {"f:spec": {}}, "time": NOW}],
}
_CONDITIONS = [
    {"type": kind, "status": status, "reason": "Because", "message": CANARY, "lastTransitionTime": NOW}
    for kind, status in (("Ready", "True"), ("Available", "False"), ("Progressing", "True"), ("Programmed", "Unknown"))
]
_CONTAINER = {
    "name": "main",
    "image": "registry.example/web:1.2@sha256:" + "ab" * 32,
    "command": ["sh", "-c", CANARY],
    "ports": [{"name": "http", "containerPort": 80, "protocol": "TCP"}],
    "env": [
        {"name": "GREETING", "value": CANARY},
        {"name": "FROM", "valueFrom": {"secretKeyRef": {"name": "web", "key": "password"}}},
    ],
    "envFrom": [{"secretRef": {"name": "web"}}],
    "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
    "volumeMounts": [{"name": "v", "mountPath": "/v"}],
    "readinessProbe": {"httpGet": {"path": "/", "port": "http"}},
}
_STATE = {"waiting": {"reason": "CrashLoopBackOff", "message": CANARY}}
_STATUS_OF_CONTAINER = {
    "name": "main",
    "ready": False,
    "restartCount": 4,
    "image": "web",
    "imageID": "web@sha256:ab",
    "state": _STATE,
    "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "message": CANARY, "finishedAt": NOW}},
}
PODSPEC_ = {
    "containers": [_CONTAINER],
    "initContainers": [{**_CONTAINER, "name": "init", "restartPolicy": "Always"}],
    "volumes": [{"name": "v", "configMap": {"name": "web"}}, {"name": "s", "secret": {"secretName": "web"}}],
    "nodeName": "node-1",
    "serviceAccountName": "web",
    "tolerations": [{"key": "k", "operator": "Exists"}],
    "nodeSelector": {"a": "b"},
}
_SELECTOR = {"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}
_DESTINATION = {"destination": {"host": "web", "port": {"number": 80}, "subset": "v1"}, "weight": 100}
SPEC: dict[str, Any] = {
    **PODSPEC_,
    "replicas": 2,
    "paused": False,
    "selector": _SELECTOR,
    "template": {"metadata": _META, "spec": PODSPEC_},
    "strategy": {"canary": {"steps": [{"setWeight": 10}, {"pause": {"duration": "1h"}}], "stableService": "web"}},
    "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%"}},
    "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP", "nodePort": 30000}],
    "type": "ClusterIP",
    "clusterIP": "10.0.0.1",
    "podCIDR": "10.1.0.0/24",
    "taints": [{"key": "k", "effect": "NoSchedule"}],
    "unschedulable": True,
    "rules": [{"host": "web", "matches": [{"path": {"value": "/"}}], "backendRefs": [{"name": "web", "port": 80}]}],
    "http": [{"name": "main", "match": [{"uri": {"prefix": "/"}}], "route": [_DESTINATION]}],
    "hosts": ["web", "*.example.com"],
    "gateways": ["mesh"],
    "host": "web",
    "subsets": [{"name": "v1", "labels": {"version": "v1"}}],
    "servers": [{"port": {"number": 80, "protocol": "HTTP", "name": "http"}, "hosts": ["*"]}],
    "listeners": [{"name": "mesh", "port": 15008, "protocol": "HBONE", "hostname": "*"}],
    "parentRefs": [{"name": "web", "kind": "Gateway"}],
    "gatewayClassName": "istio-waypoint",
    "group": "example.com",
    "names": {"kind": "Web", "plural": "webs"},
    "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}],
    "egress": [{"to": [{"podSelector": {}}], "toPorts": [{"ports": [{"port": "80", "protocol": "TCP"}]}]}],
    "ingress": [{"from": [{"podSelector": {}}], "fromEndpoints": [{"matchLabels": {"app": "web"}}]}],
    "endpointSelector": {"matchLabels": {"app": "web"}},
    "addresses": [{"type": "InternalIP", "ip": "10.2.0.1"}],
    "minAvailable": 1,
    "maxReplicas": 3,
    "scaleTargetRef": {"kind": "Deployment", "name": "web", "apiVersion": "apps/v1"},
    "schedule": "* * * * *",
    "suspend": False,
    "completions": 1,
    "metrics": [{"name": "m", "provider": {"prometheus": {"query": CANARY}}}],
    "mtls": {"mode": "STRICT"},
    "action": "ALLOW",
}
STATUS: dict[str, Any] = {
    "conditions": _CONDITIONS,
    "phase": "Running",
    "podIP": "10.1.0.9",
    "podIPs": [{"ip": "10.1.0.9"}],
    "hostIP": "10.2.0.1",
    "startTime": NOW,
    "message": CANARY,
    "reason": "Because",
    "containerStatuses": [_STATUS_OF_CONTAINER],
    "initContainerStatuses": [_STATUS_OF_CONTAINER],
    "qosClass": "Burstable",
    "replicas": 2,
    "readyReplicas": 1,
    "availableReplicas": 1,
    "updatedReplicas": 1,
    "observedGeneration": 3,
    "desiredNumberScheduled": 2,
    "numberReady": 1,
    "currentPodHash": "abc",
    "stableRS": "abd",
    "currentStepIndex": 1,
    "pauseConditions": [{"reason": "CanaryPauseStep", "startTime": NOW}],
    "canary": {"weights": {"canary": {"weight": 10}, "stable": {"weight": 90}}},
    "metricResults": [{"name": "m", "phase": "Failed", "measurements": [{"phase": "Failed", "value": CANARY}]}],
    "capacity": {"cpu": "4", "memory": "8Gi", "pods": "110"},
    "allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"},
    "nodeInfo": {
        "kubeletVersion": "v1.34.0",
        "osImage": "x",
        "containerRuntimeVersion": "containerd://2",
        "machineID": "1",
    },
    "addresses": [{"type": "InternalIP", "address": "10.2.0.1"}, {"type": "IPAddress", "value": "10.0.0.2"}],
    "loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]},
    "listeners": [{"name": "mesh", "attachedRoutes": 1, "conditions": _CONDITIONS}],
    "parents": [{"parentRef": {"name": "web"}, "controllerName": "x", "conditions": _CONDITIONS}],
    "allowed": True,
    "denied": False,
    "resourceRules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}],
    "acceptedNames": {"kind": "Web", "plural": "webs"},
    "succeeded": 1,
    "failed": 2,
    "active": [{"kind": "Job", "name": "web"}],
    "encryption": {"key": 1},
}
_RELEASE = {
    "name": "web",
    "namespace": "default",
    "version": 3,
    "info": {
        "status": "deployed",
        "first_deployed": NOW,
        "last_deployed": NOW,
        "description": CANARY,
        "notes": CANARY,
    },
    "chart": {
        "metadata": {"name": "web", "version": "1.2.3", "appVersion": "9", "apiVersion": "v2"},
        "values": {"password": PLANTED, "replicas": 1},
        "templates": [],
    },
    "config": {"password": PLANTED, "greeting": "hello"},
    "manifest": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\ndata:\n  greeting: hello\n",
    "hooks": [{"name": "h", "kind": "Job", "path": "x", "events": ["pre-install"], "manifest": "kind: Job\n"}],
}


def whole_object(group: str, version: str, kind: str, name: str, random: Random) -> dict[str, Any]:
    """One object, of any kind, with every field that some tool reads."""
    api_version = f"{group}/{version}" if group else version
    found: dict[str, Any] = {"apiVersion": api_version, "kind": kind, "metadata": {**_META, "name": name}}
    if kind == "Secret":
        release = base64.b64encode(gzip.compress(json.dumps(_RELEASE).encode())).decode()
        stored = base64.b64encode(release.encode()).decode()
        data = {"password": _ENCODED, "release": stored}
        return {**found, "type": random.choice(("Opaque", "helm.sh/release.v1")), "data": data}
    found |= {"spec": SPEC, "status": STATUS}
    if kind == "Event":
        found |= {
            "involvedObject": {"kind": "Pod", "name": name, "namespace": "default"},
            "regarding": {"kind": "Pod", "name": name},
            "reason": "Failed",
            "message": CANARY,
            "note": CANARY,
            "type": "Warning",
            "count": 3,
            "lastTimestamp": NOW,
            "source": {"component": "kubelet"},
            "series": {"count": 3, "lastObservedTime": NOW},
        }
    return found | _beside_spec(kind)


def _beside_spec(kind: str) -> dict[str, Any]:
    usage = {"cpu": "12m", "memory": "34Mi"}
    by_kind: dict[str, dict[str, Any]] = {
        "ConfigMap": {"data": {"greeting": CANARY, "enable-hubble": "true", "mesh": "defaultConfig: {}\n"}},
        "PodMetrics": {"containers": [{"name": "main", "usage": usage}], "timestamp": NOW, "window": "10s"},
        "NodeMetrics": {"usage": usage, "timestamp": NOW, "window": "10s"},
        "Endpoints": {"subsets": [{"addresses": [{"ip": "10.1.0.9"}], "ports": [{"port": 80}]}]},
        "EndpointSlice": {
            "endpoints": [{"addresses": ["10.1.0.9"], "conditions": {"ready": True}, "targetRef": {"name": "web"}}],
            "ports": [{"name": "http", "port": 80}],
        },
        "RoleBinding": {"roleRef": {"kind": "Role", "name": "web"}, "subjects": [{"kind": "User", "name": CANARY}]},
        "Role": {"rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]},
        "CiliumIdentity": {"security-labels": {"k8s:app": "web"}},
    }
    return by_kind.get(kind, {})
