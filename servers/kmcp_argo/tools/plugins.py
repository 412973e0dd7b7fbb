"""Traffic router plugins of the controller, above all the Gateway API one."""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import Field

from kmcp_argo.client import Argo
from kmcp_argo.installation import router_plugins
from kmcp_argo.installation.deployments import CONTAINER, LABEL, NAMESPACE, find_controllers
from kmcp_runtime import (
    Diff,
    DryRun,
    Effect,
    EffectByArgument,
    Namespace,
    Result,
    Rule,
    TimeoutSeconds,
    ToolFailure,
    Word,
    bad_argument,
    injected,
    tool,
    unavailable,
)
from kmcp_runtime.kube import objects
from kmcp_runtime.kube.failures import StatusFailure

LARGEST_LOG = 4 << 20
_POLL_SECONDS = 1.0
_RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
_LOGS = (
    Rule("apps", ("deployments",), ("list",)),
    Rule("", ("pods",), ("list",)),
    Rule("", ("pods/log",), ("get",)),
)


class PluginLogs(Result):
    """What the controller's log says of a plugin."""

    cuttable = "lines"
    untrusted = True

    plugin: str
    pod: str
    found: bool = Field(description="The log mentions it")
    loaded: bool
    source: str | None = None
    version: str | None = None
    architecture: str | None = None
    download_seconds: float | None = None
    errors: list[str]
    lines: list[str] = Field(description="The evidence")


class GatewayPlugin(Result):
    """The Gateway API plugin: what is configured, what is loaded, what was changed."""

    configured: bool
    location: str | None = None
    version: str | None = None
    architecture: str | None = None
    loaded: bool | None = Field(default=None, description="As the controller's log says")
    changed: bool = False
    diff: Diff | None = None
    dry_run: bool | None = Field(default=None, description="True when nothing was changed")
    restart_needed: bool = Field(default=False, description="Plugins are loaded when the controller starts")
    problems: list[str]


@tool(Effect.READ, needs=_LOGS)
async def argo_check_plugin_logs(
    namespace: Namespace = NAMESPACE,
    plugin: Annotated[str, Word("As in trafficRouterPlugins")] = router_plugins.GATEWAY_API,
    timeout_seconds: TimeoutSeconds = 30,
    argo: Argo = injected(),
) -> PluginLogs:
    """Read in the controller's log whether it has loaded a traffic router plugin, and if not why."""
    pod = await _controller_pod(argo, namespace)
    seen = await _loading(argo, pod, plugin, timeout_seconds)
    source = seen.source or ""
    return PluginLogs(
        plugin=plugin,
        pod=pod["metadata"]["name"],
        found=seen.found,
        loaded=seen.loaded,
        source=seen.source,
        version=router_plugins.version_of(source),
        architecture=router_plugins.architecture_of(source),
        download_seconds=seen.seconds,
        errors=seen.errors,
        lines=seen.lines,
        hint=None if seen.found else _why_not_found(plugin, pod),
    )


@tool(
    Effect.WRITE,
    by=EffectByArgument.switch("should_install"),
    needs=(
        *_LOGS,
        Rule("", ("configmaps",), ("get", "create", "patch")),
        Rule("", ("nodes",), ("get",)),
        Rule("apps", ("deployments",), ("patch",)),
    ),
)
async def argo_verify_gateway_plugin(
    namespace: Namespace = NAMESPACE,
    version: Annotated[str | None, Word("Release to install")] = None,
    should_install: Annotated[bool, Word("Configure it where it is missing")] = False,
    sha256: Annotated[str | None, Word("Checksum of the file", pattern=r"^[0-9a-fA-F]{64}$")] = None,
    restart_controller: Annotated[bool, Word("So that it is loaded")] = False,
    dry_run: DryRun = False,
    argo: Argo = injected(),
) -> GatewayPlugin:
    """Check that the Gateway API plugin is configured and loaded; should_install=true configures it."""
    config = await _config(argo, namespace)
    known = router_plugins.entries(config)
    entry = _gateway_entry(known)
    wanted, pod, problems = known, None, list[str]()
    try:
        pod = await _controller_pod(argo, namespace)
    except ToolFailure as failure:
        if failure.code != "unavailable":
            raise
        problems.append(failure.message)  # Without a controller the configuration is still worth telling.
    if should_install:
        entry = await _wanted(argo, pod, version, sha256)
        wanted = router_plugins.with_entry(known, entry)
        if wanted != known:
            await _configure(argo, namespace, config, wanted, dry_run)
            if restart_controller and not dry_run:
                await _restart(argo, namespace)
    changed = wanted != known
    loaded = (await _loading(argo, pod, router_plugins.GATEWAY_API, 0)).loaded if pod else None
    location = str((entry or {}).get("location") or "")
    return GatewayPlugin(
        configured=_gateway_entry(known if dry_run else wanted) is not None,
        location=location or None,
        version=router_plugins.version_of(location),
        architecture=router_plugins.architecture_of(location),
        loaded=loaded,
        changed=changed,
        diff=Diff(known, wanted) if changed else None,
        dry_run=dry_run or None,
        restart_needed=(changed and not restart_controller) or (entry is not None and loaded is False),
        problems=problems + _problems(entry, loaded),
        hint=_next_step(entry, loaded, namespace),
    )


async def _controller_pod(argo: Argo, namespace: str) -> objects.Object:
    """The newest running pod of the controller; where its namespace is another, there."""
    found = await find_controllers(argo, LABEL, namespace) or await find_controllers(argo, LABEL)
    if not found:
        raise unavailable(
            f"no controller of Argo Rollouts runs in {namespace} or elsewhere",
            "argo_verify_argo_rollouts_controller_install tells what is missing",
        )
    pods = await argo.listed("pods", found[0].namespace, selector=LABEL)
    running = [each for each in pods if (each.get("status") or {}).get("phase") == "Running"]
    if not running:
        raise unavailable(
            f"no pod of the controller {found[0].namespace}/{found[0].name} runs",
            "argo_verify_argo_rollouts_controller_install tells why",
        )
    return max(running, key=lambda each: str(each["status"].get("startTime", "")))


async def _loading(argo: Argo, pod: objects.Object, plugin: str, seconds: float) -> router_plugins.Loading:
    """The story of a plugin; a controller that has just started is given time to write it."""
    deadline = time.monotonic() + max(0.0, seconds - _age(pod))
    while True:
        seen = router_plugins.loading(await _log(argo, pod), plugin)
        if not seen.found and _restarts(pod):
            # A plugin that cannot be loaded ends the controller: the run before tells why.
            seen = router_plugins.loading(await _log(argo, pod, previous=True), plugin)
        if seen.loaded or seen.errors or time.monotonic() >= deadline:
            return seen
        await argo.call.progress(0, None, f"{plugin} is not loaded yet")
        await asyncio.sleep(_POLL_SECONDS)


async def _log(argo: Argo, pod: objects.Object, previous: bool = False) -> list[str]:
    """From the container's start: plugins are loaded there, and the newest lines no longer tell of it."""
    containers = [each["name"] for each in pod["spec"]["containers"]]
    container = CONTAINER if CONTAINER in containers else containers[0]
    metadata = pod["metadata"]
    path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/log"
    query = [("container", container), ("limitBytes", str(LARGEST_LOG))]
    query += [("previous", "true")] if previous else []
    content = await argo.api.raw("GET", path, query, accept="*/*")
    return content.decode(errors="replace").splitlines()


def _restarts(pod: objects.Object) -> bool:
    return any(each.get("restartCount") for each in (pod.get("status") or {}).get("containerStatuses") or ())


def _age(pod: objects.Object) -> float:
    statuses = (pod.get("status") or {}).get("containerStatuses") or [{}]
    started = ((statuses[0].get("state") or {}).get("running") or {}).get("startedAt")
    if not started:
        return 0.0
    return (datetime.now(UTC) - datetime.fromisoformat(started.replace("Z", "+00:00"))).total_seconds()


def _why_not_found(plugin: str, pod: objects.Object) -> str:
    return (
        f"The log of {pod['metadata']['name']} does not mention {plugin}: it is not configured, or was "
        "configured after the controller started; argo_verify_gateway_plugin shows the configuration."
    )


async def _config(argo: Argo, namespace: str) -> objects.Object | None:
    place = await argo.place("configmaps", namespace)
    try:
        return await objects.read(argo.api, place.kind, router_plugins.CONFIG_MAP, namespace)
    except StatusFailure as failure:
        if failure.http_status != 404:
            raise
        return None


def _gateway_entry(known: list[router_plugins.Entry]) -> router_plugins.Entry | None:
    return next((each for each in known if each["name"] == router_plugins.GATEWAY_API), None)


async def _wanted(
    argo: Argo, pod: objects.Object | None, version: str | None, sha256: str | None
) -> router_plugins.Entry:
    """The entry for a release, for the platform of the node that the controller runs on."""
    if not version:
        raise bad_argument(
            "version: required with should_install=true; nothing looks up the latest release for you",
            "give a release such as version=v0.5.0",
        )
    if pod is None:
        raise unavailable("the platform of the controller's node is unknown: no controller runs", "start it first")
    node = await argo.read_kind("nodes", str(pod["spec"].get("nodeName")), None)
    info = node["status"]["nodeInfo"]
    release = version if version.startswith("v") else f"v{version}"
    file = f"gatewayapi-plugin-{info['operatingSystem']}-{info['architecture']}"
    location = f"{argo.settings.gateway_plugin_url.rstrip('/')}/{release}/{file}"
    return {"name": router_plugins.GATEWAY_API, "location": location, **({"sha256": sha256.lower()} if sha256 else {})}


async def _configure(
    argo: Argo, namespace: str, config: Mapping[str, Any] | None, wanted: list[router_plugins.Entry], dry_run: bool
) -> None:
    data = {"data": {router_plugins.KEY: router_plugins.written(wanted)}}
    place = await argo.place("configmaps", namespace)
    if config is None:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": router_plugins.CONFIG_MAP}, **data}
        await objects.create(argo.api, place.kind, namespace, body, dry_run=dry_run)
        return
    # Refused when somebody else has changed it since it was read.
    patch = {"metadata": {"resourceVersion": config["metadata"]["resourceVersion"]}, **data}
    await objects.patch(argo.api, place.kind, router_plugins.CONFIG_MAP, namespace, patch, "merge", dry_run=dry_run)


async def _restart(argo: Argo, namespace: str) -> None:
    found = await find_controllers(argo, LABEL, namespace) or await find_controllers(argo, LABEL)
    stamp = {_RESTARTED_AT: datetime.now(UTC).isoformat(timespec="seconds")}
    patch = {"spec": {"template": {"metadata": {"annotations": stamp}}}}
    place = await argo.place("deployments.apps", found[0].namespace)
    await objects.patch(argo.api, place.kind, found[0].name, found[0].namespace, patch, "strategic")


def _problems(entry: router_plugins.Entry | None, loaded: bool | None) -> list[str]:
    if entry is None:
        return [f"{router_plugins.GATEWAY_API} is not configured"]
    return [f"the running controller has not loaded {router_plugins.GATEWAY_API}"] if loaded is False else []


def _next_step(entry: router_plugins.Entry | None, loaded: bool | None, namespace: str) -> str | None:
    if entry is None:
        return "argo_verify_gateway_plugin should_install=true version=<release> configures it."
    if loaded is False:
        return f"argo_check_plugin_logs namespace={namespace} tells why; it is loaded when the controller starts."
    return None
