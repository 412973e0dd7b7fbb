"""What a path of the API server is about: kind, namespace, name and subresource."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from kmcp_runtime.judging import Resource

if TYPE_CHECKING:
    from kmcp_runtime.kube.api import KubeApi

QUESTIONS = re.compile(r"/apis/(?:authorization|authentication)\.k8s\.io/[^/]+/(?:.+/)?[a-z]+reviews$")
"""Objects that are created to ask something: access and token reviews."""
_OF_OBJECTS = re.compile(r"/(?:api/[^/]+|apis/[^/]+/[^/]+)/[^/]")
_WORDS = {
    "deployments": "Deployment",
    "statefulsets": "StatefulSet",
    "replicasets": "ReplicaSet",
    "replicationcontrollers": "ReplicationController",
}


@dataclass(frozen=True)
class Target:
    """What a path of the API is about; without a name it is every object of the kind."""

    resource: str
    """The path of the kind's objects, without the name."""
    plural: str
    namespace: str | None
    name: str | None
    subresource: str | None

    @property
    def words(self) -> str:
        where = f"{self.namespace}/" if self.namespace else ""
        return f"{_WORDS.get(self.plural, self.plural)} {where}{self.name or '(all of them)'}"


def target(path: str) -> Target:
    """Of `/api/v1/namespaces/a/pods/b/eviction` and its like."""
    parts = path.strip("/").split("/")
    at = 2 if parts[0] == "api" else 3
    namespace = None
    if parts[at : at + 1] == ["namespaces"] and len(parts) > at + 2 and parts[at + 2] not in ("status", "finalize"):
        namespace, at = parts[at + 1], at + 2
    rest = [*parts[at:], "", "", ""]
    resource = "/" + "/".join(parts[: at + 1])
    return Target(resource, rest[0], namespace, rest[1] or None, "/".join(parts[at + 2 :]) or None)


def resource(api: "KubeApi", path: str, made: str | None = None) -> Resource | None:
    """What a path is about, for the policy; None for what is no object: the kinds, the version, a question of rights.

    `made` is the name of an object that is to be created there.
    """
    if not _OF_OBJECTS.match(path) or QUESTIONS.match(path):
        return None
    about = target(path)
    parts = path.strip("/").split("/")
    group = "" if parts[0] == "api" else unquote(parts[1])
    plural, name = unquote(about.plural), unquote(about.name) if about.name else made
    # A list without a namespace is one of all namespaces, unless the kind has none.
    everywhere = None if name is None and (group, plural) not in api.cluster_scoped else ""
    namespace = unquote(about.namespace) if about.namespace else everywhere
    return Resource(api.context.name, namespace, group, plural, name, unquote(about.subresource or ""))
