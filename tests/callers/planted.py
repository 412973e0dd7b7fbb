"""Two namespaces with an object of every sort that tools show, each with a word that stands nowhere else."""

import secrets

from kmcp_runtime.kube.api import KubeApi
from tests.helm.storing import encoded, named
from tests.kubernetes.making import Object, make

NAME = "web"
"""Of each object; what may be told of it is in the word."""
_RELEASE = {
    "name": NAME,
    "version": 1,
    "info": {"status": "deployed", "last_deployed": "2026-11-01T00:00:00Z"},
    "chart": {"metadata": {"name": "web", "version": "1.0.0", "apiVersion": "v2"}, "templates": []},
}


def word() -> str:
    """What no other test writes, and no rule takes for a secret."""
    return f"apple-{secrets.token_hex(3)}"


async def plant(api: KubeApi, namespace: str, marker: str) -> None:
    """Everything that an identity without rights here must not learn of."""
    core, apps = f"/api/v1/namespaces/{namespace}", f"/apis/apps/v1/namespaces/{namespace}"
    labels = {"app": NAME, "k8s-app": "cilium", "word": marker}
    metadata = {"name": NAME, "labels": labels, "annotations": {"note": marker}}
    container = {"name": "main", "image": f"example.invalid/{marker}", "env": [{"name": "NOTE", "value": marker}]}
    # No scheduler of that name: the pods need no node, and say so.
    pod: Object = {"schedulerName": marker, "containers": [container]}
    template = {"metadata": {"labels": {"app": "other", "word": marker}}, "spec": pod}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "other"}}, "template": template}
    hidden = {"metadata": metadata, "stringData": {"note": f"not-{marker}"}}
    port = {"port": 80, "name": marker[:15]}
    service = {"selector": {"app": NAME, "word": marker}, "ports": [port]}
    await make(api, f"{core}/configmaps", {"metadata": metadata, "data": {"note": marker}})
    await make(api, f"{core}/secrets", hidden)
    await make(api, f"{core}/services", {"metadata": metadata, "spec": service})
    await make(api, f"{core}/pods", {"metadata": metadata, "spec": pod})
    await make(api, f"{core}/pods", {"metadata": {**metadata, "name": marker}, "spec": pod})
    await make(api, f"{apps}/deployments", {"metadata": metadata, "spec": spec})
    await make(api, f"{core}/events", _event(namespace, marker))
    await _more_kinds(api, namespace, metadata, marker, template)


async def _more_kinds(api: KubeApi, namespace: str, metadata: Object, marker: str, template: Object) -> None:
    listener = {"name": marker, "port": 15008, "protocol": "HBONE"}
    gateway = {"gatewayClassName": "istio-waypoint", "listeners": [listener]}
    rollout = {"replicas": 0, "selector": {"matchLabels": {"app": "other"}}}
    bodies = {
        "gateway.networking.k8s.io/v1": ("gateways", "Gateway", gateway),
        "networking.k8s.io/v1": (
            "networkpolicies",
            "NetworkPolicy",
            {"podSelector": {"matchLabels": {"word": marker}}},
        ),
        "argoproj.io/v1alpha1": ("rollouts", "Rollout", {**rollout, "template": template}),
    }
    for version, (plural, kind, spec) in bodies.items():
        for name in (NAME, marker):
            body = {"apiVersion": version, "kind": kind, "metadata": {**metadata, "name": name}, "spec": spec}
            await make(api, f"/apis/{version}/namespaces/{namespace}/{plural}", body)
    manifest = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: released}}\ndata: {{note: {marker}}}\n"
    release = {**_RELEASE, "namespace": namespace, "config": {"note": marker}, "manifest": manifest}
    release["info"] = {**_RELEASE["info"], "notes": marker, "description": marker}  # type: ignore[dict-item]
    release["chart"] = {"metadata": {"name": marker, "version": "1.0.0", "apiVersion": "v2"}, "templates": []}
    stored = {
        "metadata": {
            "name": named(NAME, 1),
            "labels": {"owner": "helm", "name": NAME, "status": "deployed", "version": "1"},
        },
        "type": "helm.sh/release.v1",
        "stringData": {"release": encoded(release)},
    }
    await make(api, f"/api/v1/namespaces/{namespace}/secrets", stored)


def _event(namespace: str, marker: str) -> Object:
    about = {"kind": "Pod", "namespace": namespace, "name": NAME, "apiVersion": "v1"}
    return {
        "metadata": {"name": f"{NAME}.1"},
        "involvedObject": about,
        "reason": "Planted",
        "message": marker,
        "type": "Warning",
        "firstTimestamp": "2026-11-30T00:00:00Z",
        "lastTimestamp": "2026-11-30T00:00:00Z",
        "count": 1,
        "source": {"component": "test"},
    }
