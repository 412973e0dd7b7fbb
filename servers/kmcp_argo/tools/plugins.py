"""Traffic router plugins of the controller, in particular the Gateway API plugin."""

from typing import Annotated

from pydantic import AfterValidator, Field

from kmcp_argo.client import Argo
from kmcp_argo.installation import plugin_config, router_plugins
from kmcp_argo.installation.deployments import NAMESPACE
from kmcp_argo.installation.plugin_log import find_controller_pod, wait_for_loading
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
    tool,
)
from kmcp_runtime.kube import objects

_LOGS = (
    Rule("apps", ("deployments",), ("list",)),
    Rule("", ("pods",), ("list",)),
    Rule("", ("pods/log",), ("get",)),
)


class PluginLogs(Result):
    """What the controller's log says about a plugin."""

    cuttable = "lines"

    plugin: str
    pod: str
    found: bool = Field(description="The log mentions it")
    loaded: bool
    source: str | None = None
    version: str | None = None
    architecture: str | None = None
    download_seconds: float | None = None
    errors: list[str]
    lines: list[str] = Field(description="The lines of the log that mention it")


class GatewayPlugin(Result):
    """The Gateway API plugin: what is configured, what is loaded, what was changed."""

    configured: bool
    location: str | None = None
    version: str | None = None
    architecture: str | None = None
    loaded: bool | None = Field(default=None, description="According to the controller's log")
    changed: bool = False
    diff: Diff | None = None
    dry_run: bool | None = Field(default=None, description="True when nothing was changed")
    restart_needed: bool = Field(default=False, description="Plugins are loaded when the controller starts")
    problems: list[str]


@tool(Effect.READ, needs=_LOGS, renamed={"timeout": "timeout_seconds"})
async def argo_check_plugin_logs(
    argo: Argo,
    namespace: Namespace = NAMESPACE,
    plugin: Annotated[str, "Name in trafficRouterPlugins"] = router_plugins.GATEWAY_API,
    timeout_seconds: TimeoutSeconds = 30,
) -> PluginLogs:
    """Show from the controller's log whether it has loaded a traffic router plugin, and if not, why."""
    pod = await find_controller_pod(argo, namespace)
    seen = await wait_for_loading(argo, pod, plugin, timeout_seconds)
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
    argo: Argo,
    namespace: Namespace = NAMESPACE,
    version: Annotated[str | None, AfterValidator(router_plugins.check_release), "Release to install"] = None,
    should_install: Annotated[bool, "Configure it if it is missing"] = False,
    sha256: Annotated[str | None, "Checksum of the file", Field(pattern=r"^[0-9a-fA-F]{64}$")] = None,
    restart_controller: Annotated[bool, "To load it"] = False,
    dry_run: DryRun = False,
) -> GatewayPlugin:
    """Check that the Gateway API plugin is configured and loaded; should_install=true configures it."""
    config = await plugin_config.read_config(argo, namespace)
    known = router_plugins.entries(config)
    entry, wanted = plugin_config.gateway_entry(known), known
    pod, problems = await _find_pod_or_problem(argo, namespace)
    if should_install:
        entry = await plugin_config.build_entry(argo, pod, version, sha256)
        wanted = router_plugins.with_entry(known, entry)
        if wanted != known:
            await plugin_config.write_config(argo, namespace, config, wanted, dry_run)
            if restart_controller and not dry_run:
                await plugin_config.restart_controller(argo, namespace)
    changed = wanted != known
    # Without waiting: a controller that has just been restarted is reported as not having loaded it yet.
    loaded = (await wait_for_loading(argo, pod, router_plugins.GATEWAY_API, 0)).loaded if pod else None
    location = str((entry or {}).get("location") or "")
    return GatewayPlugin(
        # A dry run shows in its diff what would be configured, not here.
        configured=plugin_config.gateway_entry(known if dry_run else wanted) is not None,
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


async def _find_pod_or_problem(argo: Argo, namespace: str) -> tuple[objects.Object | None, list[str]]:
    """The controller's pod, or why there is none: without it the configuration can still be shown."""
    try:
        return await find_controller_pod(argo, namespace), []
    except ToolFailure as failure:
        if failure.code != "unavailable":
            raise
        return None, [failure.message]


def _why_not_found(plugin: str, pod: objects.Object) -> str:
    return (
        f"The log of {pod['metadata']['name']} does not mention {plugin}: it is not configured, or was "
        "configured after the controller started; argo_verify_gateway_plugin shows the configuration."
    )


def _problems(entry: router_plugins.Entry | None, loaded: bool | None) -> list[str]:
    if entry is None:
        return [f"{router_plugins.GATEWAY_API} is not configured"]
    return [f"the running controller has not loaded {router_plugins.GATEWAY_API}"] if loaded is False else []


def _next_step(entry: router_plugins.Entry | None, loaded: bool | None, namespace: str) -> str | None:
    if entry is None:
        return "argo_verify_gateway_plugin should_install=true version=<release> configures it."
    if loaded is False:
        return f"argo_check_plugin_logs namespace={namespace} shows why; plugins are loaded when the controller starts."
    return None
