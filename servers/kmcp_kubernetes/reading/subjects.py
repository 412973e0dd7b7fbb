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


async def missing(kube: Kube, subject: Subject) -> list[str] | None:
    """A warning about a ServiceAccount that is not there: authorizers answer for any name."""
    if subject.account is None:
        return None
    namespace, name = subject.account
    kind = await kube.discovery.resolve("serviceaccounts")
    try:
        found = await kube.api.find(kind.path(namespace, name))
    except ToolFailure:  # That it may not be read says nothing about its rights.
        return None
    return None if found else [f"there is no ServiceAccount {name} in namespace {namespace}"]
