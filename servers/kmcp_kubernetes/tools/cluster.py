"""Where this server is connected, and what it may do there."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from kmcp_kubernetes.arguments import ResourceName
from kmcp_kubernetes.client import Kube
from kmcp_kubernetes.reading import subjects
from kmcp_kubernetes.reading.subjects import Subject
from kmcp_runtime import Effect, Name, OptionalNamespace, Result, Rule, ToolFailure, bad_argument, tool
from kmcp_runtime.kube.config import Auth

_REVIEWS = "/apis/authorization.k8s.io/v1"
# Stands for every group or resource in an access review.
ANY = "*"


class Context(BaseModel):
    """One configured cluster, without any credential."""

    name: str
    cluster: str
    server: str
    namespace: str
    auth: Auth


class Configuration(Result):
    """The clusters that this server can reach."""

    cuttable = "contexts"

    current_context: str
    contexts: list[Context]
    server_version: str | None = Field(default=None, description="Absent when the cluster does not answer")
    in_cluster: bool


@tool(Effect.READ)
async def k8s_get_cluster_configuration(kube: Kube) -> Configuration:
    """Show the configured contexts, the current one and its server's version; no credentials."""
    contexts = [
        Context(name=each.name, cluster=each.cluster, server=each.server, namespace=each.namespace, auth=each.auth)
        for each in kube.contexts.all
    ]
    result = Configuration(
        current_context=kube.context.name, contexts=contexts, in_cluster=kube.context.auth == "in_cluster"
    )
    try:
        result.server_version = str((await kube.api.get("/version")).get("gitVersion"))
    except ToolFailure as failure:
        # The configuration is what was asked for, above all when the cluster is out of reach.
        result.warnings = [f"the cluster does not answer: {failure.message}"]
        result.hint = failure.hint
    return result


class RightsRule(BaseModel):
    """Which verbs are allowed on which resources."""

    verbs: list[str]
    groups: list[str]
    resources: list[str]
    names: list[str] | None = Field(default=None, description="Only these objects")


class Rights(Result):
    """One answer, or all rules of a namespace."""

    cuttable = "rules"

    subject: str | None = Field(default=None, description="Absent for this server's own identity")
    namespace: str | None = None
    allowed: bool | None = None
    reason: str | None = None
    rules: list[RightsRule] | None = None


@tool(
    Effect.READ,
    needs=(Rule("authorization.k8s.io", ("subjectaccessreviews",), ("create",)),),
    extra=True,
    shows="rights",
)
async def k8s_can_i(
    kube: Kube,
    verb: Annotated[str | None, "Verb; unset lists all rights"] = None,
    resource_type: Annotated[str | None, "Kind, or *"] = None,
    resource_name: ResourceName | None = None,
    namespace: OptionalNamespace = None,
    subresource: Annotated[Name | None, "Such as log"] = None,
    subject: Annotated[str | None, "Another user, or namespace:serviceaccount"] = None,
) -> Rights:
    """Check the rights of this server's identity; use it after a forbidden answer."""
    if verb and resource_type:
        whose = subjects.named(subject) if subject else None
        return await _check_right(kube, whose, verb.lower(), resource_type, resource_name, namespace, subresource)
    if subject:
        raise bad_argument(
            "subject: only single rights of another identity can be checked", "give verb and resource_type"
        )
    if verb or resource_type or resource_name or subresource:
        raise bad_argument(
            "verb and resource_type belong together", "give both, or neither to list all rights in the namespace"
        )
    return await _list_rights(kube, namespace or kube.context.namespace)


async def _check_right(
    kube: Kube,
    whose: Subject | None,
    verb: str,
    resource_type: str,
    name: str | None,
    namespace: str | None,
    subresource: str | None,
) -> Rights:
    plural, _, below = resource_type.partition("/")
    subresource = subresource or below or None
    attributes: dict[str, Any] = {"verb": verb, "group": ANY, "resource": ANY, "namespace": namespace}
    if plural != ANY:
        place = await kube.place(plural, namespace)
        attributes |= {"group": place.kind.group, "resource": place.kind.plural, "namespace": place.namespace}
    attributes |= {"name": name, "subresource": subresource}
    given = {key: value for key, value in attributes.items() if value is not None}
    asked: dict[str, Any] = {"resourceAttributes": given}
    if whose:
        status = await _send_review(kube, "SubjectAccessReview", {**asked, **whose.fields()})
    else:
        status = await _send_review(kube, "SelfSubjectAccessReview", asked)
    reason = status.get("reason") or status.get("evaluationError")
    if not reason and not status.get("allowed"):
        reason = "no rule allows it"
    return Rights(
        subject=whose.user if whose else None,
        namespace=given.get("namespace"),
        allowed=bool(status.get("allowed")),
        reason=reason,
        warnings=await subjects.doubts(kube, whose, given.get("namespace")) if whose else None,
    )


async def _list_rights(kube: Kube, namespace: str) -> Rights:
    status = await _send_review(kube, "SelfSubjectRulesReview", {"namespace": namespace})
    rules = [
        RightsRule(
            verbs=rule.get("verbs") or [],
            groups=rule.get("apiGroups") or [],
            resources=rule.get("resources") or [],
            names=rule.get("resourceNames"),
        )
        for rule in status.get("resourceRules") or ()
    ]
    result = Rights(namespace=namespace, rules=rules)
    # Webhook authorizers can judge a request but not list their rules.
    if status.get("incomplete"):
        why = status.get("evaluationError") or "an authorizer cannot list its rules"
        result.warnings = [f"the list is incomplete: {why}"]
    return result


async def _send_review(kube: Kube, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}
    answer = await kube.api.send("POST", f"{_REVIEWS}/{kind.lower()}s", (), body)
    status: dict[str, Any] = answer.get("status") or {}
    return status
