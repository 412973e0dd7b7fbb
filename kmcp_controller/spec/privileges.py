"""What an MCPServer asks for that an author needs rights of his own for: who may create pods may have it all. Pure.

The admission policy of the chart (`templates/tenants.yaml`) asks the same, and more, when the author writes. This
is for MCPServers of which nobody knows who wrote them: no more than Pod Security's level baseline without additions,
and what the platform allows to everybody. Secrets and ConfigMaps of the namespace are not judged here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kmcp_runtime.catalog import Fault
from kmcp_runtime.findings import Path

from .model import MCPServer

Object = Mapping[str, Any]
NEXT = "have somebody who may create pods here delete it and create it anew, or set tenants.allow of the chart"
_ROOT = ("spec", "deployment")
_CONTEXT = {
    "runAsUser",
    "runAsGroup",
    "runAsNonRoot",
    "readOnlyRootFilesystem",
    "allowPrivilegeEscalation",
    "privileged",
    "capabilities",
    "seccompProfile",
}
_POD_CONTEXT = {
    "runAsUser",
    "runAsGroup",
    "runAsNonRoot",
    "fsGroup",
    "fsGroupChangePolicy",
    "supplementalGroups",
    "seccompProfile",
}
_VOLUMES = {"name", "configMap", "secret", "emptyDir", "projected", "downwardAPI"}
_SOURCES = {"configMap", "secret", "downwardAPI", "serviceAccountToken"}
_CONTAINER = {
    "name",
    "image",
    "imagePullPolicy",
    "command",
    "args",
    "workingDir",
    "ports",
    "env",
    "envFrom",
    "resources",
    "volumeMounts",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
    "securityContext",
    "terminationMessagePath",
    "terminationMessagePolicy",
}
_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
_DEFAULT_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_ROLE = "node-role.kubernetes.io/"


@dataclass(frozen=True)
class Allowed:
    """What the platform allows to every author."""

    service_accounts: tuple[str, ...] = ()
    tolerations: tuple[str, ...] = ()
    """Keys of taints."""
    annotations: tuple[str, ...] = ()
    """Keys of annotations of pods and ServiceAccounts."""


def judge_privileges(server: MCPServer, allowed: Allowed) -> list[Fault]:
    """A fault for each place that asks for more; none for an MCPServer that anybody may have."""
    found = [*_contexts(server), *_volumes(server), *_containers(server), *_placement(server, allowed)]
    return [Fault(path, f"{text}; {NEXT}") for path, text in [*found, *_identity(server, allowed)]]


Finding = tuple[Path, str]


def _contexts(server: MCPServer) -> Iterator[Finding]:
    deployment = server.deployment
    yield from _context(deployment.security_context, (*_ROOT, "securityContext"))
    if deployment.init_container:
        path = (*_ROOT, "initContainer", "securityContext")
        yield from _context(deployment.init_container.security_context, path)
    for index, sidecar in enumerate(deployment.sidecars):
        yield from _context(sidecar.get("securityContext"), (*_ROOT, "sidecars", index, "securityContext"))
    yield from _isolation(deployment.pod_security_context, _POD_CONTEXT, (*_ROOT, "podSecurityContext"))


def _context(given: Any, path: Path) -> Iterator[Finding]:
    if not given:
        return
    yield from _isolation(given, _CONTEXT, path)
    if _at(given, "privileged") not in (None, False):
        yield (*path, "privileged"), "gives the container the node"
    if _at(given, "capabilities", "add"):
        yield (*path, "capabilities", "add"), "adds rights of the node's kernel"


def _isolation(given: Any, known: set[str], path: Path) -> Iterator[Finding]:
    for key in _others(given, known):
        yield (*path, key), "asks for other than the usual isolation"
    if _at(given, "seccompProfile", "type") not in (None, "RuntimeDefault"):
        yield (*path, "seccompProfile"), "is not RuntimeDefault"


def _volumes(server: MCPServer) -> Iterator[Finding]:
    for index, volume in enumerate(server.deployment.volumes):
        path = (*_ROOT, "volumes", index)
        for key in _others(volume, _VOLUMES):
            yield (*path, key), f"reaches what is not the author's; {', '.join(sorted(_VOLUMES - {'name'}))} do not"
        for number, source in enumerate(_list(_at(volume, "projected", "sources"))):
            for key in _others(source, _SOURCES):
                yield (*path, "projected", "sources", number, key), f"is not one of {', '.join(sorted(_SOURCES))}"


def _containers(server: MCPServer) -> Iterator[Finding]:
    for kind, probe in server.extensions.probes.model_dump(exclude_none=True).items():
        yield from _handler(probe, ("spec", "extensions", "probes", kind))
    for index, sidecar in enumerate(server.deployment.sidecars):
        path = (*_ROOT, "sidecars", index)
        for key in _others(sidecar, _CONTAINER):
            yield (*path, key), "is not among the usual fields of a container"
        for number, port in enumerate(_list(sidecar.get("ports"))):
            if _at(port, "hostPort") or _at(port, "hostIP"):
                yield (*path, "ports", number), "takes a port of the node"
        for kind in _PROBES:
            yield from _handler(sidecar.get(kind), (*path, kind))
        for kind in ("postStart", "preStop"):
            yield from _handler(_at(sidecar, "lifecycle", kind), (*path, "lifecycle", kind))


def _handler(given: Any, path: Path) -> Iterator[Finding]:
    for kind in ("httpGet", "tcpSocket"):
        if _at(given, kind, "host"):
            yield (*path, kind, "host"), "makes the node call another address"


def _placement(server: MCPServer, allowed: Allowed) -> Iterator[Finding]:
    deployment = server.deployment
    for index, each in enumerate(deployment.tolerations):
        usual = each.get("key") in _DEFAULT_TAINTS and each.get("effect") == "NoExecute"
        if not usual and each.get("key") not in allowed.tolerations:
            yield (*_ROOT, "tolerations", index), "tolerates a taint by which nodes are kept for others"
    for key in deployment.node_selector or {}:
        if key.startswith(_ROLE):
            yield (*_ROOT, "nodeSelector", key), "chooses nodes by their role"
    affinity = _at(deployment.affinity, "nodeAffinity")
    terms = _list(_at(affinity, "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"))
    preferred = _list(_at(affinity, "preferredDuringSchedulingIgnoredDuringExecution"))
    for term in [*terms, *(_at(each, "preference") for each in preferred)]:
        keys = [str(_at(each, "key")) for each in _list(_at(term, "matchExpressions"))]
        if _at(term, "matchFields") or any(key.startswith(_ROLE) for key in keys):
            yield (*_ROOT, "affinity", "nodeAffinity"), "chooses nodes by their role or name"


def _identity(server: MCPServer, allowed: Allowed) -> Iterator[Finding]:
    deployment = server.deployment
    name, account = deployment.service_account_name, deployment.service_account
    if name and name not in allowed.service_accounts:
        yield (*_ROOT, "serviceAccountName"), f"{name} is not this MCPServer's own ServiceAccount"
    for path, given in (
        ((*_ROOT, "annotations"), deployment.annotations),
        ((*_ROOT, "serviceAccount", "annotations"), account.annotations if account else {}),
    ):
        for key in sorted(given.keys() - set(allowed.annotations)):
            yield (*path, key), "may give the pods an identity, a network or a container"
    if server.extensions.rbac != "none":
        yield ("spec", "extensions", "rbac"), "gives the pods rights"


def _others(given: Any, known: set[str]) -> list[str]:
    """Its keys beyond the known ones; what is no mapping is for the API server to refuse."""
    return sorted(str(key) for key in given if key not in known) if isinstance(given, Mapping) else []


def _at(given: Any, *keys: str) -> Any:
    for key in keys:
        given = given.get(key) if isinstance(given, Mapping) else None
    return given


def _list(given: Any) -> Sequence[Any]:
    return given if isinstance(given, list | tuple) else ()
