"""Cilium's own workloads: how many pods should run and do run, and in which version."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field

from kmcp_cilium.client import Cilium
from kmcp_cilium.state.fields import part
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.pages import FORMS

DAEMON_SETS = ("cilium", "cilium-envoy")
DEPLOYMENTS = ("cilium-operator", "hubble-relay", "hubble-ui", "clustermesh-apiserver")
_TRUE = ("true", "1", "t")
_VERSIONED = {"cilium-operator": "operator", "cilium-envoy": "envoy", "hubble-relay": "relay"}


class Component(BaseModel):
    """A workload of Cilium."""

    name: str
    desired: int
    ready: int
    image: str | None = None


class Coverage(BaseModel):
    """How many pods Cilium manages."""

    managed: int | None = Field(default=None, description="Endpoints of pods; absent when unknown")
    pods: int = Field(description="Running pods outside the host network")


async def list_components(cilium: Cilium) -> list[Component]:
    """The workloads of Cilium that this cluster has."""
    namespace = await cilium.find_namespace()
    sets = await cilium.list_objects("daemonsets.apps", namespace)
    deployments = await cilium.list_objects("deployments.apps", namespace)
    found = [_of_set(each) for each in sets if each["metadata"]["name"] in DAEMON_SETS]
    return found + [_of_deployment(each) for each in deployments if each["metadata"]["name"] in DEPLOYMENTS]


def versions(found: list[Component]) -> dict[str, str]:
    """Versions by part, from the tags of images."""
    return {
        # Charts pin images as tag@digest.
        _VERSIONED[each.name]: each.image.partition("@")[0].rpartition(":")[2]
        for each in found
        if each.name in _VERSIONED and each.image
    }


async def read_configuration(cilium: Cilium) -> dict[str, str]:
    """The data of ConfigMap cilium-config; empty where there is none."""
    path = f"/api/v1/namespaces/{await cilium.find_namespace()}/configmaps/cilium-config"
    return dict((await cilium.api.find(path) or {}).get("data") or {})


def features(configuration: Mapping[str, str]) -> dict[str, str]:
    """The main features in the configuration, and their modes."""
    found = {
        "ipam": configuration.get("ipam"),
        "routing": _routing(configuration),
        "kube_proxy_replacement": configuration.get("kube-proxy-replacement"),
        "encryption": _encryption(configuration),
        "hubble": _switch(configuration.get("enable-hubble")),
        "cluster_mesh": f"{configuration.get('cluster-name', 'default')} (id {configuration.get('cluster-id', '0')})",
    }
    return {name: value for name, value in found.items() if value}


async def count_coverage(cilium: Cilium, configuration: Mapping[str, str]) -> Coverage:
    """How many running pods are endpoints of Cilium, as far as objects say it."""
    # Pods in the host network have no endpoint, and those that ended have lost theirs.
    running = "spec.hostNetwork=false,status.phase=Running"
    pods = await _count_rows(cilium.api, "/api/v1/pods", (("fieldSelector", running),)) or 0
    # Without these objects only the agents know their endpoints, each its own.
    written = configuration.get("disable-endpoint-crd", "").lower() not in _TRUE
    managed = await _count_rows(cilium.api, "/apis/cilium.io/v2/ciliumendpoints") if written else None
    return Coverage(managed=managed, pods=pods)


async def _count_rows(api: KubeApi, path: str, query: tuple[tuple[str, str], ...] = ()) -> int | None:
    """None where the cluster has no such kind."""
    # Counted in a table without objects: a row for each pod instead of the pod.
    table = await api.find(path, (*query, ("includeObject", "None"), ("resourceVersion", "0")), FORMS["table"])
    return None if table is None else len(table.get("rows") or ())


def _of_set(found: Mapping[str, Any]) -> Component:
    status = part(found, "status")
    return Component(
        name=found["metadata"]["name"],
        desired=status.get("desiredNumberScheduled", 0),
        ready=status.get("numberReady", 0),
        image=_image(found),
    )


def _of_deployment(found: Mapping[str, Any]) -> Component:
    return Component(
        name=found["metadata"]["name"],
        desired=part(found, "spec").get("replicas", 1),
        ready=part(found, "status").get("readyReplicas", 0),
        image=_image(found),
    )


def _image(found: Mapping[str, Any]) -> str | None:
    containers = part(found, "spec", "template", "spec").get("containers") or [{}]
    image = containers[0].get("image")
    return str(image) if image else None


def _routing(configuration: Mapping[str, str]) -> str | None:
    mode = configuration.get("routing-mode")
    return f"tunnel ({configuration.get('tunnel-protocol', 'vxlan')})" if mode == "tunnel" else mode


def _encryption(configuration: Mapping[str, str]) -> str:
    kinds = {"enable-wireguard": "WireGuard", "enable-ipsec": "IPsec"}
    return next((name for key, name in kinds.items() if configuration.get(key) == "true"), "off")


def _switch(value: str | None) -> str:
    return "on" if value == "true" else "off"
