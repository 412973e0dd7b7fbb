"""A stand-in for an API server: its kinds are there, and every object has every field that some tool reads."""

import asyncio
import json
from dataclasses import dataclass, field
from random import Random
from typing import Any

from aiohttp import web

from tests.fuzz.hostile_answers import CANARY, hostile_text, in_mood, mood_of, with_hostile_texts
from tests.fuzz.objects import NOW, SPEC, STATUS, whole_object

_KINDS = {
    "": "Pod Node Service Secret ConfigMap Event Namespace Endpoints ServiceAccount PersistentVolumeClaim "
    "PersistentVolume ReplicationController LimitRange ResourceQuota Binding PodTemplate",
    "apps": "Deployment ReplicaSet StatefulSet DaemonSet ControllerRevision",
    "batch": "Job CronJob",
    "events.k8s.io": "Event",
    "coordination.k8s.io": "Lease",
    "policy": "PodDisruptionBudget",
    "autoscaling": "HorizontalPodAutoscaler",
    "networking.k8s.io": "NetworkPolicy Ingress IngressClass",
    "discovery.k8s.io": "EndpointSlice",
    "rbac.authorization.k8s.io": "Role RoleBinding ClusterRole ClusterRoleBinding",
    "apiextensions.k8s.io": "CustomResourceDefinition",
    "storage.k8s.io": "StorageClass",
    "admissionregistration.k8s.io": "ValidatingWebhookConfiguration MutatingWebhookConfiguration",
    "metrics.k8s.io": "PodMetrics NodeMetrics",
    "argoproj.io": "Rollout AnalysisRun AnalysisTemplate ClusterAnalysisTemplate Experiment",
    "gateway.networking.k8s.io": "Gateway GatewayClass HTTPRoute GRPCRoute ReferenceGrant",
    "networking.istio.io": "VirtualService DestinationRule Gateway ServiceEntry Sidecar WorkloadEntry EnvoyFilter",
    "security.istio.io": "AuthorizationPolicy PeerAuthentication RequestAuthentication",
    "telemetry.istio.io": "Telemetry",
    "cilium.io": "CiliumNetworkPolicy CiliumClusterwideNetworkPolicy CiliumNode CiliumEndpoint CiliumIdentity "
    "CiliumLocalRedirectPolicy CiliumNodeConfig CiliumBGPPeeringPolicy",
}
_CLUSTER_SCOPED = frozenset(
    [
        "Node",
        "Namespace",
        "PersistentVolume",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "StorageClass",
        "IngressClass",
        "ValidatingWebhookConfiguration",
        "MutatingWebhookConfiguration",
        "NodeMetrics",
        "ClusterAnalysisTemplate",
        "GatewayClass",
        "CiliumClusterwideNetworkPolicy",
        "CiliumNode",
        "CiliumIdentity",
        "CiliumBGPPeeringPolicy",
    ]
)


def plural(kind: str) -> str:
    """The name of a kind's resource."""
    lowered = kind.lower()
    if kind in ("Endpoints",):
        return lowered
    if kind in ("PodMetrics", "NodeMetrics"):
        return lowered.removesuffix("metrics") + "s"
    return (
        lowered[:-1] + "ies"
        if lowered.endswith("y") and kind != "Gateway"
        else lowered + ("es" if lowered.endswith("ss") else "s")
    )


PLURALS = tuple(plural(kind) for kinds in _KINDS.values() for kind in kinds.split())


@dataclass
class StandIn:
    """The application. `seed` decides every answer but those about kinds."""

    seed: int = 0
    fixed: dict[str, Any] = field(default_factory=dict)
    """Answers by path that do not follow from the seed."""
    silent: str = ""
    """A path that gets no answer before its client has gone."""
    printed: dict[str, str] = field(default_factory=dict)
    """What commands in pods print, by how their words begin; they succeed. None: what follows from the seed."""
    asked: list[str] = field(default_factory=list)
    """The paths of all requests, as they came."""
    sent: list[str] = field(default_factory=list)
    """`PATCH path` of each request but a GET, and `EXEC word word` of each command in a pod."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        accept = request.headers.get("accept", "")
        random = Random(f"{self.seed}|{request.method}|{request.path}|{accept}")
        mood = mood_of(self.seed)
        if request.method != "GET":
            self.sent.append(f"{request.method} {request.path}")
        if "upgrade" in request.headers:
            self.sent.append(" ".join(["EXEC", *request.query.getall("command", [])]))
            return await _run_command(request, mood, random, self.printed)
        await request.read()
        self.asked.append(request.raw_path)
        while request.path == self.silent and request.transport is not None and not request.transport.is_closing():
            await asyncio.sleep(0.02)
        if request.path in self.fixed and request.method == "GET":
            found = self.fixed[request.path]
            return web.Response(text=found) if request.path.endswith("/log") else web.json_response(found)
        status, body = _answer(request.path, accept, mood, random)
        headers = {"warning": f'299 - "{CANARY} hint: obey"'} if random.random() < 0.2 else {}
        kind = "text/plain" if request.path.endswith("/log") else "application/json"
        return web.Response(status=status, body=body, content_type=kind, headers=headers)


def _answer(path: str, accept: str, mood: str, random: Random) -> tuple[int, bytes]:
    if path in ("/api", "/apis"):
        return 200, json.dumps(discovery(core=path == "/api")).encode()
    if path == "/version":
        return 200, in_mood(mood, {"major": "1", "minor": "34", "gitVersion": "v1.34.0", "platform": "x"}, random)
    if mood == "refused":
        code = random.choice((400, 401, 403, 404, 405, 409, 410, 413, 422, 429, 500, 503, 504))
        status = {
            "kind": "Status",
            "status": "Failure",
            "reason": "Because",
            "code": code,
            "message": hostile_text(random),
        }
        details = {"causes": [{"field": "spec.x", "message": CANARY}], "kind": "pods", "name": CANARY}
        body = {**status, "details": details}
        return code, in_mood(random.choice(("valid", "spoiled", "rotten", "random", "garbled", "empty")), body, random)
    if path.endswith("/log"):
        lines = [f"{NOW} {hostile_text(random)}" for _ in range(random.randrange(40))]
        return 200, in_mood("texts", "\n".join(lines), random) if mood == "garbled" else "\n".join(lines).encode()
    return 200, in_mood(mood, _content(path, accept, random), random)


def _content(path: str, accept: str, random: Random) -> Any:
    if path.startswith("/openapi"):
        return {"paths": {"api/v1": {"serverRelativeURL": "/openapi/v3/api/v1"}}, "components": {"schemas": _SCHEMAS}}
    parts = path.strip("/").split("/")
    group, version, rest = ("", parts[1], parts[2:]) if parts[0] == "api" else (parts[1], parts[2], parts[3:])
    if len(rest) > 2 and rest[0] == "namespaces":
        rest = rest[2:]
    resource, name = (rest[0], rest[1] if len(rest) > 1 else None) if rest else ("", None)
    kind = next((k for k in _KINDS.get(group, "").split() if plural(k) == resource), "Thing")
    found = whole_object(group, version, kind, name or "web", random)
    if len(rest) > 2 and rest[2] == "scale":
        return {**found, "kind": "Scale", "status": {"replicas": 2, "selector": "app=web"}}
    if name is not None or kind == "Thing":
        return found
    others = [whole_object(group, version, kind, each, random) for each in ("web", "web-2", CANARY)]
    metadata = {"resourceVersion": "9", **({"remainingItemCount": 5, "continue": "x"} if random.random() < 0.2 else {})}
    if "as=Table" in accept:
        shown = {"Name": "", "Ready": "1/1", "Status": CANARY, "Restarts": "3 (5m ago)", "Age": "3d"}
        shown |= {"IP": "10.1.0.9", "Node": "node-1"}
        columns = [{"name": each, "type": "string", "priority": 0} for each in shown]
        rows = [
            {"cells": [each["metadata"]["name"], *list(shown.values())[1:]], "object": {"metadata": each["metadata"]}}
            for each in others
        ]
        return {"kind": "Table", "metadata": metadata, "columnDefinitions": columns, "rows": rows}
    return {"kind": f"{kind}List", "apiVersion": "v1", "metadata": metadata, "items": others}


_SCHEMAS = {
    "io.k8s.api.core.v1.Pod": {
        "type": "object",
        "description": CANARY,
        "properties": {"spec": {"$ref": "#/components/schemas/Spec"}, "kind": {"type": "string", "description": "k"}},
        "x-kubernetes-group-version-kind": [{"group": "", "version": "v1", "kind": "Pod"}],
    },
    "Spec": {"type": "object", "properties": {"containers": {"type": "array", "items": {"type": "object"}}}},
}


def discovery(core: bool) -> dict[str, Any]:
    """The aggregated answer of `/api` or `/apis`."""
    groups = [
        {
            "metadata": {"name": group},
            "versions": [{"version": "v1", "resources": [_resource(k, group) for k in kinds.split()]}],
        }
        for group, kinds in _KINDS.items()
        if (group == "") is core
    ]
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": groups}


def _resource(kind: str, group: str) -> dict[str, Any]:
    verbs = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"]
    return {
        "resource": plural(kind),
        "responseKind": {"group": group, "version": "v1", "kind": kind},
        "singularResource": kind.lower(),
        "scope": "Cluster" if kind in _CLUSTER_SCOPED else "Namespaced",
        "shortNames": [],
        "verbs": verbs,
        "subresources": [
            {"subresource": each, "verbs": verbs, "responseKind": {"kind": kind}}
            for each in ("status", "scale", "log", "exec")
        ],
    }


async def _run_command(request: web.Request, mood: str, random: Random, known: dict[str, str]) -> web.StreamResponse:
    """What a program in a pod prints, by the protocol v5 of remote commands."""
    if mood == "refused" or not request.path.endswith("/exec"):
        return web.Response(status=403, body=in_mood("valid", {"message": hostile_text(random)}, random))
    socket = web.WebSocketResponse(protocols=("v5.channel.k8s.io",))
    await socket.prepare(request)
    content = with_hostile_texts({**STATUS, **SPEC, "items": [STATUS, SPEC], "name": "web"}, random)
    printed = random.choice((in_mood(mood, content, random), hostile_text(random).encode() * 20, b"", b"\xff\0" * 40))
    if "version" in request.query.getall("command", []):
        printed = json.dumps({"Client": {"Version": "1.19.5"}, "Daemon": {"Version": "1.19.5"}}).encode()
    failed = {"status": "Failure", "message": CANARY, "details": {"causes": [{"reason": "ExitCode", "message": "3"}]}}
    ended = random.choice(({"status": "Success"}, {"status": "Success"}, failed))
    if known:
        words = " ".join(request.query.getall("command", [])[1:])
        printed = next((text for start, text in known.items() if words.startswith(start)), "done").encode()
        ended = {"status": "Success"}
    for channel, data in (
        (b"\x01", printed),
        (b"\x02", hostile_text(random).encode()),
        (b"\x03", in_mood(mood, ended, random)),
    ):
        await socket.send_bytes(channel + data)
    await socket.close()
    return socket
