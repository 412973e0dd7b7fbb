"""Backends that no test cluster has: a stand-in for Grafana, one for a Cilium agent, and an index of a few pages."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

from kmcp_runtime.kube.api import KubeApi
from tests.cilium import standin as cilium_standin
from tests.cluster.model import Cluster
from tests.grafana.standin import StandIn
from tests.grafana.world import populated
from tests.querydoc import making
from tests.serving import served

CILIUM_VERSION = "1.19.5"
GRAFANA_USER, GRAFANA_PASSWORD = "admin", "admin-password"
PAGES = {
    "network-policy.md": """# Network policies

Rules say who may talk to a workload.

## Deny by default

A policy that selects pods and has no ingress rule denies every connection to them, whatever the port.

## Let a client in

Policies add up: a second policy with an ingress rule from the client's labels lets the client in, and the first one
stays as it is.
""",
    "retention.md": """# Retention

Old samples are removed after the retention time.
""",
}
_OPEN_FLOW = {
    "verdict": "DROPPED",
    "drop_reason_desc": "POLICY_DENIED",
    "traffic_direction": "INGRESS",
    "node_name": "node",
    "IP": {"source": "10.0.0.8", "destination": "10.0.0.9"},
    "l4": {"TCP": {"source_port": 41234, "destination_port": 80}},
}


@asynccontextmanager
async def grafana() -> AsyncIterator[dict[str, str]]:
    """The settings of a Grafana with one of everything."""
    standin = StandIn()
    populated(standin.state)
    async with served(standin, lifespan="off") as url:
        yield {"GRAFANA_URL": url, "GRAFANA_USERNAME": GRAFANA_USER, "GRAFANA_PASSWORD": GRAFANA_PASSWORD}


async def ask_grafana(url: str, path: str) -> str:
    """What Grafana's own API answers at a path."""
    async with httpx2.AsyncClient(auth=(GRAFANA_USER, GRAFANA_PASSWORD), timeout=10) as http:
        return (await http.get(f"{url}{path}")).text


@asynccontextmanager
async def cilium(api: KubeApi, cluster: Cluster, namespace: str) -> AsyncIterator[dict[str, str]]:
    """The settings of an agent whose Hubble has seen one flow to the pod that is asked for: denied, from `client`."""
    programs = {"hubble": _hubble()}
    async with cilium_standin.agent_of(api, cluster, namespace, CILIUM_VERSION, (), programs):
        yield {"KMCP_CILIUM_NAMESPACE": namespace}


def _hubble() -> str:
    """A shell program: namespace and pod of the flow are those behind `--to-pod` or `--pod`, the time is now."""
    ends = {
        "time": "$now",
        "source": {"namespace": "$namespace", "pod_name": "client", "labels": ["k8s:app=client"], "identity": 4711},
        "destination": {"namespace": "$namespace", "pod_name": "$pod", "labels": ["k8s:app=web"], "identity": 4712},
    }
    flow = json.dumps({"flow": {**_OPEN_FLOW, **ends}}).replace('"', '\\"')
    return f"""#!/bin/sh
namespace=default pod=web
while [ $# -gt 0 ]; do
  case "$1" in
    --pod|--to-pod) namespace="${{2%%/*}}" pod="${{2##*/}}" ;;
    --namespace) namespace="$2" ;;
  esac
  shift
done
now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
echo "{flow}"
"""


async def documentation(folder: Path) -> dict[str, str]:
    """The settings of an index of PAGES."""
    index = folder / "docs.sqlite"
    await making.build(index, making.source(making.write(folder / "pages", PAGES), product="platform"))
    return {"KMCP_DOCS_INDEX": str(index)}
