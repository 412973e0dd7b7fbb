"""What would stop or change when this controller takes over MCPServers from another one. Only reads."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any

from kmcp_controller.cluster.client import Cluster
from kmcp_controller.cluster.events import announcements
from kmcp_controller.discovery.collisions import Collisions
from kmcp_controller.reconcile.options import Options
from kmcp_controller.reconcile.ownership import judge
from kmcp_controller.render.objects import account_name
from kmcp_controller.spec import MCPServer, RefusedError, is_suite_image, parse
from kmcp_controller.spec.catalog_entry import entry_of, narrowed
from kmcp_runtime.kube.failures import StatusFailure

from .planner import Planner

Object = Mapping[str, Any]
_RELEASE, _KEPT = "meta.helm.sh/release-name", "helm.sh/resource-policy"


async def list_findings(cluster: Cluster, options: Options, namespaces: Iterable[str | None]) -> AsyncIterator[str]:
    """A line each; `namespaces` holds None for all."""
    planner, shared = Planner(cluster, options), Collisions()
    for line in await _check_definition(cluster):
        yield line
    for namespace in namespaces:
        servers = await cluster.list_objects("MCPServer", namespace)
        # The oldest first: of two servers with tools of one name the younger one gets the warning.
        for found in sorted(servers, key=lambda each: str(each["metadata"]["creationTimestamp"])):
            where = "{namespace}/{name}".format_map(found["metadata"])
            try:
                server = parse(found, options.platform)
                texts = [*await _check_server(planner, server, options), *_shared(shared, found, server, options)]
            except RefusedError as error:
                texts = [f"will not be accepted: {fault}" for fault in error.faults]
            for text in texts:
                yield f"{where}: {text}"


async def _check_definition(cluster: Cluster) -> list[str]:
    """Uninstalling the release that owns the definition takes every MCPServer along."""
    try:
        found = await cluster.read_definition()
    except StatusFailure:
        return []  # not installed, or the user may not read it: then there is nothing to say of it
    annotations = found["metadata"].get("annotations") or {}
    if _RELEASE not in annotations or annotations.get(_KEPT) == "keep":
        return []
    release = annotations[_RELEASE]
    return [
        f"the definition of MCPServer is part of Helm release {release}: "
        f"annotate it with {_KEPT}: keep before you uninstall that release"
    ]


async def _check_server(planner: Planner, server: MCPServer, options: Options) -> list[str]:
    found = [notice.message for notice in announcements(server)]
    if server.name == "default":
        found.append(f"its ServiceAccount becomes {account_name(server)}; the namespace's own is left alone")
    rendered = await planner.render_objects(server)
    for each in rendered:
        live = await planner.read_live(each)
        verdict = judge(live, each, server.name, server.uid) if live else None
        if verdict and verdict.action == "refuse":
            found.append(verdict.why)
        elif live and each["kind"] == "Service":
            found += _retargeted(live, each)
        elif each["kind"] == "Deployment":
            found += _as_root(each, server, options)
    if not any(each["kind"] == "ConfigMap" for each in rendered):
        found += await _check_config_map(planner, server)
    return found


def _retargeted(live: Object, rendered: Object) -> Iterator[str]:
    before = [each.get("targetPort") for each in live["spec"].get("ports") or ()]
    after = [each["targetPort"] for each in rendered["spec"]["ports"]]
    if before != after:
        yield f"Service {rendered['metadata']['name']} will send to port {after[0]} of the pods instead of {before[0]}"


def _as_root(rendered: Object, server: MCPServer, options: Options) -> Iterator[str]:
    pod = rendered["spec"]["template"]["spec"]
    container = pod["containers"][0]
    users = [each.get("securityContext", {}).get("runAsUser") for each in (pod, container)]
    # The kubelet knows an image's user only when it starts it, and then refuses root: known before, it is a line here.
    forced = any(each.get("securityContext", {}).get("runAsNonRoot") for each in (pod, container))
    if forced and not any(users) and not is_suite_image(container["image"], options.platform):
        yield f"will not be allowed to run as root: if {container['image']} does, set podSecurityContext.runAsUser"


async def _check_config_map(planner: Planner, server: MCPServer) -> list[str]:
    live = await planner.cluster.read("ConfigMap", server.namespace, server.name)
    owners = (live or {}).get("metadata", {}).get("ownerReferences") or ()
    mine = any(each["uid"] == server.uid for each in owners)
    return [f"ConfigMap {server.name} is deleted once no pod mounts it"] if mine else []


def _shared(known: Collisions, found: Object, server: MCPServer, options: Options) -> list[str]:
    """Of the suite's servers alone: what others offer is known only once they are asked."""
    entry = entry_of(server, options.entries, options.platform)
    if entry is None:
        return []
    tools = narrowed(entry, server.extensions.tools, server.extensions.read_only)
    key = (server.namespace, server.name)
    known.learn(key, found["metadata"]["creationTimestamp"], [tool.name for tool in tools])
    return known.of(key)
