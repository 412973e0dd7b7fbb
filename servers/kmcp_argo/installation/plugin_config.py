"""The plugin configuration in the cluster: reading and writing the ConfigMap, and the restart that loads it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from kmcp_argo.client import Argo
from kmcp_argo.installation import router_plugins
from kmcp_argo.installation.deployments import LABEL, find_controllers
from kmcp_runtime import bad_argument, unavailable
from kmcp_runtime.kube import objects

_RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
"""What `kubectl rollout restart` sets: a changed pod template makes new pods."""


async def read_config(argo: Argo, namespace: str) -> objects.Object | None:
    place = await argo.place("configmaps", namespace)
    return await objects.find(argo.api, place.kind, router_plugins.CONFIG_MAP, namespace)


def gateway_entry(known: list[router_plugins.Entry]) -> router_plugins.Entry | None:
    return next((each for each in known if each["name"] == router_plugins.GATEWAY_API), None)


async def build_entry(
    argo: Argo, pod: objects.Object | None, version: str | None, sha256: str | None
) -> router_plugins.Entry:
    """The entry for a release, built for the platform of the controller's node."""
    if not version:
        raise bad_argument(
            "version: required with should_install=true; the latest release is not looked up",
            "give a release such as version=v0.5.0",
        )
    if pod is None:
        raise unavailable(
            "the platform of the controller's node is unknown: no controller is running", "start the controller first"
        )
    node = await argo.read_kind("nodes", str(pod["spec"].get("nodeName")), None)
    info = node["status"]["nodeInfo"]
    # The releases are tagged with a v.
    release = version if version.startswith("v") else f"v{version}"
    # The names of the files of a release of rollouts-plugin-trafficrouter-gatewayapi.
    file = f"gatewayapi-plugin-{info['operatingSystem']}-{info['architecture']}"
    location = f"{argo.settings.gateway_plugin_url.rstrip('/')}/{release}/{file}"
    return {"name": router_plugins.GATEWAY_API, "location": location, **({"sha256": sha256.lower()} if sha256 else {})}


async def write_config(
    argo: Argo, namespace: str, config: Mapping[str, Any] | None, wanted: list[router_plugins.Entry], dry_run: bool
) -> None:
    data = {"data": {router_plugins.KEY: router_plugins.written(wanted)}}
    place = await argo.place("configmaps", namespace)
    # Created rather than applied: two callers at once must not overwrite each other unseen.
    if config is None:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": router_plugins.CONFIG_MAP}, **data}
        await objects.create(argo.api, place.kind, namespace, body, dry_run=dry_run)
        return
    # With its version the patch is refused when someone has changed the ConfigMap since it was read.
    patch = {"metadata": {"resourceVersion": config["metadata"]["resourceVersion"]}, **data}
    await objects.patch(argo.api, place.kind, router_plugins.CONFIG_MAP, namespace, patch, "merge", dry_run=dry_run)


async def restart_controller(argo: Argo, namespace: str) -> None:
    found = await find_controllers(argo, LABEL, namespace) or await find_controllers(argo, LABEL)
    stamp = {_RESTARTED_AT: datetime.now(UTC).isoformat(timespec="seconds")}
    patch = {"spec": {"template": {"metadata": {"annotations": stamp}}}}
    place = await argo.place("deployments.apps", found[0].namespace)
    await objects.patch(argo.api, place.kind, found[0].name, found[0].namespace, patch, "strategic")
