"""G8: what answers 403 (or refuses a write) besides missing rights, by messages that API servers really give."""

import pytest

from kmcp_runtime.kube import admission

RIGHTS = [
    'pods is forbidden: User "system:serviceaccount:a:b" cannot list resource "pods" in API group "" in the namespace '
    '"a"',
    'forbidden: User "x" cannot get path "/metrics"',
    'clusterroles.rbac.authorization.k8s.io "x" is forbidden: user "u" (groups=["g"]) is attempting to grant RBAC '
    'permissions not currently held:\n{APIGroups:[""], Resources:["pods"], Verbs:["get"]}',
    'users "admin" is forbidden: User "u" cannot impersonate resource "users" in API group "" at the cluster scope',
    'pods "x" is forbidden: cannot set blockOwnerDeletion if an ownerReference refers to a resource you can\'t set '
    "finalizers on: , <nil>",
    'certificatesigningrequests.certificates.k8s.io "c" is forbidden: user not permitted to approve requests with '
    'signerName "s"',
]


@pytest.mark.parametrize("message", RIGHTS)
def test_missing_rights_stay_missing_rights(message: str) -> None:
    assert admission.hint(403, message) is None


@pytest.mark.parametrize(
    ("status", "message", "meaning"),
    [
        (
            403,
            'pods "x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2',
            "ResourceQuota of the namespace is used up",
        ),
        (403, 'pods "x" is forbidden: failed quota: q: must specify limits.cpu for: main', "set requests and limits"),
        (403, 'pods "x" is forbidden: status unknown for quota: q, resources: pods', "try again"),
        (
            403,
            'pods "x" is forbidden: [minimum memory usage per Container is 64Mi, but request is 1Mi, '
            "cpu max limit to request ratio per Container is 2, but provided ratio is 4.000000]",
            "LimitRange",
        ),
        (
            403,
            'persistentvolumeclaims "c" is forbidden: maximum storage usage per PersistentVolumeClaim is 1Gi, but '
            "request is 2Gi",
            "LimitRange",
        ),
        (
            403,
            'pods "x" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false',
            "Pod Security",
        ),
        (
            403,
            'configmaps "c" is forbidden: unable to create new content in namespace a because it is being terminated',
            "being deleted",
        ),
        (
            403,
            'pods "x" is forbidden: error looking up service account a/none: serviceaccount "none" not found',
            "ServiceAccount does not exist",
        ),
        (403, 'admission webhook "w.example.org" denied the request: it cannot get resource "pods"', "webhook refused"),
        (400, 'admission webhook "w.example.org" denied the request: exceeded quota: mine', "webhook refused"),
        (
            422,
            "deployments.apps \"x\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
            "admission policy",
        ),
        (
            500,
            'Internal error occurred: failed calling webhook "w.example.org": dial tcp: refused',
            "did not answer",
        ),
        (403, 'pods "x" is forbidden: no PriorityClass with name high was found', "rights are not what it lacks"),
        (403, 'namespaces "default" is forbidden: this namespace may not be deleted', "rights are not what it lacks"),
    ],
)
def test_what_else_refuses_is_said(status: int, message: str, meaning: str) -> None:
    assert meaning in str(admission.hint(status, message))


def test_other_failures_are_none_of_it() -> None:
    assert admission.hint(404, 'pods "x" not found') is None
    assert admission.hint(403, "") is None
    assert admission.hint(500, "exceeded") is None
