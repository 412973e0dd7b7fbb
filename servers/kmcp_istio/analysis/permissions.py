"""What istioctl reads for an analysis, and whether this identity may: without one of these rights it waits for ever."""

import asyncio

from kmcp_istio.analysis.snapshot import NETWORKING
from kmcp_istio.client import Mesh
from kmcp_runtime import Rule

_FOLLOWED = ("list", "watch")
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
    *(
        Rule(group, ("*",), _FOLLOWED)
        for group in (
            NETWORKING,
            "security.istio.io",
            "telemetry.istio.io",
            "extensions.istio.io",
            "gateway.networking.k8s.io",
        )
    ),
)
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


async def list_missing(mesh: Mesh) -> list[str]:
    """Each right that is missing, in the API server's words."""
    asked = [(rule.group, name, verb) for rule in NEEDED for name in rule.resources for verb in rule.verbs]
    allowed = await asyncio.gather(*(_review_access(mesh, *each) for each in asked))
    return [
        f'cannot {verb} resource "{name}" in API group "{group}"'
        for (group, name, verb), may in zip(asked, allowed, strict=True)
        if not may
    ]


async def _review_access(mesh: Mesh, group: str, resource: str, verb: str) -> bool:
    wanted = {"group": group, "resource": resource, "verb": verb}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": wanted},
    }
    return bool((await mesh.api.send("POST", _REVIEWS, (), review))["status"]["allowed"])
