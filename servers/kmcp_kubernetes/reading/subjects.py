"""Whose rights are asked about: a user, or a ServiceAccount by its namespace and name."""

import re
from dataclasses import dataclass
from typing import Any

from kmcp_kubernetes.client import Kube
from kmcp_runtime import ToolFailure, bad_argument

_PREFIX = "system:serviceaccount:"
# A namespace and the name of an object; the users of Kubernetes itself are `system:…`.
_ACCOUNT = re.compile(
    r"(?!system:)(?P<namespace>[a-z0-9]([-a-z0-9]*[a-z0-9])?):(?P<name>[a-z0-9]([-.a-z0-9]*[a-z0-9])?)"
)
_NAME = re.compile(r"[a-z0-9]([-.a-z0-9]*[a-z0-9])?")
_EVERYBODY = "system:authenticated"


@dataclass(frozen=True)
class Subject:
    """An identity as authorizers see it; `account` is the namespace and name of a ServiceAccount."""

    user: str
    groups: tuple[str, ...]
    account: tuple[str, str] | None = None

    def fields(self) -> dict[str, Any]:
        """Of the spec of a SubjectAccessReview."""
        return {"user": self.user, "groups": list(self.groups)}


def named(text: str) -> Subject:
    """`alice`, `namespace:name`, `system:serviceaccount:namespace:name`."""
    if not text.strip() or "\n" in text:
        raise bad_argument("subject: it is empty", "write a user, or namespace:serviceaccount")
    found = _ACCOUNT.fullmatch(text.removeprefix(_PREFIX))
    if found is None:
        return Subject(text, (_EVERYBODY,))
    namespace, name = found["namespace"], found["name"]
    # The groups that the API server gives to a ServiceAccount's token.
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", _EVERYBODY)
    return Subject(f"{_PREFIX}{namespace}:{name}", groups, (namespace, name))


async def doubts(kube: Kube, subject: Subject, namespace: str | None) -> list[str] | None:
    """A warning about an identity that may be another than was meant: authorizers answer for any name."""
    if subject.account:
        there = await _exists(kube, *subject.account)
        return (
            [f"there is no ServiceAccount {subject.account[1]} in namespace {subject.account[0]}"]
            if there is False
            else None
        )
    # A user is anybody; a name that a ServiceAccount of the namespace has is hardly one.
    if namespace and _NAME.fullmatch(subject.user) and await _exists(kube, namespace, subject.user):
        return [f"asked about a user {subject.user}; the ServiceAccount is {namespace}:{subject.user}"]
    return None


async def _exists(kube: Kube, namespace: str, name: str) -> bool | None:
    """None where it may not be read, which says nothing about its rights."""
    kind = await kube.discovery.resolve("serviceaccounts")
    try:
        return bool(await kube.api.find(kind.path(namespace, name)))
    except ToolFailure:
        return None
