"""What `istioctl analyze` reads, and whether this identity may read it."""

import asyncio

from kmcp_istio.analysis.snapshot import NETWORKING
from kmcp_istio.client import Mesh
from kmcp_runtime import Rule

# istioctl fills informers and waits until all are in sync. Without one of these rights it waits until its timeout.
_FOLLOWED = ("list", "watch")
# Istio 1.31, pkg/config/schema/metadata.yaml.
_CONFIGURATION = {
    NETWORKING: (
        "destinationrules",
        "envoyfilters",
        "gateways",
        "proxyconfigs",
        "serviceentries",
        "sidecars",
        "virtualservices",
        "workloadentries",
        "workloadgroups",
    ),
    "security.istio.io": ("authorizationpolicies", "peerauthentications", "requestauthentications"),
    "telemetry.istio.io": ("telemetries",),
    "extensions.istio.io": ("trafficextensions", "wasmplugins"),
    "gateway.networking.k8s.io": (
        "backendtlspolicies",
        "gatewayclasses",
        "gateways",
        "grpcroutes",
        "httproutes",
        "listenersets",
        "referencegrants",
        "tcproutes",
        "tlsroutes",
        "udproutes",
    ),
}
NEEDED = (
    Rule("", ("namespaces", "configmaps"), ("get", *_FOLLOWED)),
    Rule("", ("services", "pods", "secrets", "nodes"), _FOLLOWED),
    Rule("apps", ("deployments",), _FOLLOWED),
    Rule(
        "admissionregistration.k8s.io",
        ("mutatingwebhookconfigurations", "validatingwebhookconfigurations"),
        _FOLLOWED,
    ),
    Rule("apiextensions.k8s.io", ("customresourcedefinitions",), _FOLLOWED),
    *(Rule(group, names, _FOLLOWED) for group, names in _CONFIGURATION.items()),
)
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


async def list_missing(mesh: Mesh) -> list[str]:
    """Each right that this identity lacks, in the API server's words."""
    asked = [(rule.group, name, verb) for rule in NEEDED for name in rule.resources for verb in rule.verbs]
    allowed = await asyncio.gather(*(_review_access(mesh, *each) for each in asked))
    return [
        f'cannot {verb} resource "{name}" in API group "{group}"'
        for (group, name, verb), may in zip(asked, allowed, strict=True)
        if not may
    ]


async def _review_access(mesh: Mesh, group: str, resource: str, verb: str) -> bool:
    wanted = {"group": group, "resource": resource, "verb": verb}
    # A SelfSubjectAccessReview may be created by every authenticated identity, so asking needs no right of its own.
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": wanted},
    }
    return bool((await mesh.api.send("POST", _REVIEWS, (), review))["status"]["allowed"])
