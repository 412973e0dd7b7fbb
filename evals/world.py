"""What tasks stand on: the cluster, the programs that judge, the backends that some need, the servers under test."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from bench import peer
from bench.programs import Program, running
from evals import backends, metrics
from evals.place import Tools, place_of
from evals.task import Need, Task
from kmcp_runtime.kube.api import KubeApi
from tests.applying import connected
from tests.argo import install as argo
from tests.cluster import binaries, environment, lifetime
from tests.cluster.model import Cluster
from tests.istio import mesh as meshes
from tests.istio.definitions import serve_mesh_kinds
from tests.istio.images import program_image
from tests.slowness import scaled

CHARTS = Path(__file__).parent / "charts"
SERVERS = ("kubernetes", "helm", "argo", "istio", "prometheus", "clock", "querydoc", "grafana", "cilium")
IMAGES = ("localhost/kmcp-evals:1", "localhost/kmcp-evals:2")
"""Two names of the image with a shell, on the node of the test cluster."""
OTHER_CONTEXT = "prod-eu"


class RefusedContext(Exception):
    """The cluster is none of ours, and nobody has named it."""


@dataclass
class World:
    """Everything that is shared by the tasks of a run."""

    tools: Tools
    audit: Path
    names: dict[str, str] = field(default_factory=dict)
    servers: dict[str, Program] = field(default_factory=dict)
    """By what they are: `suite`, `contexts` (the suite with a second cluster in its configuration) and `peer`."""

    def address(self, query: str, needs: Collection[Need]) -> str:
        url = self.servers["contexts" if "contexts" in needs else "suite"].url
        return f"{url}?{query}" if query else url


def find_cluster(context: str | None, folder: Path) -> Cluster:
    """The test cluster, or the one of a context that is named. Errors: RefusedContext."""
    if context is not None:
        return Cluster(_kubeconfig_of(context, folder), True, None, os.environ.get(environment.IMAGE, ""), "named")
    if os.environ.get(environment.KUBECONFIG):
        raise RefusedContext(
            f"{environment.KUBECONFIG} names a cluster that is not the test cluster, and tasks break things; "
            "name its context with --context to say that you mean it, or unset the variable"
        )
    return environment.from_environment() or lifetime.obtain("cluster", None, say)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@asynccontextmanager
async def world_of(
    cluster: Cluster,
    folder: Path,
    servers: Sequence[str] = SERVERS,
    needs: Collection[Need] = (),
    compare: bool = False,
) -> AsyncIterator[World]:
    """The backends that are needed and the servers under test, until the end of the block."""
    tools = tools_of(cluster)
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(connected(cluster))
        if "prometheus" in needs:
            tools = replace(tools, prometheus=stack.enter_context(metrics.prometheus(folder)))
        found = World(tools, folder / "audit.jsonl", names=_images(cluster))
        if "argo" in needs:
            await _install_argo(api, cluster, folder)
            found.names["sleeper"] = argo.SLEEPER
        settings = _settings(found)
        if "mesh" in needs:
            settings |= await _install_mesh(stack, api, cluster, found)
        settings |= await _stand_ins(stack, api, cluster, found, needs, folder)
        found.servers["suite"] = stack.enter_context(running(_command(servers), settings))
        if "contexts" in needs:
            both = {**settings, "KUBECONFIG": str(_two_contexts(cluster, folder))}
            found.servers["contexts"] = stack.enter_context(running(_command(servers), both))
        if compare:
            flags = ["--port", "{port}", "--bind-address", "127.0.0.1", "--kubeconfig", str(cluster.kubeconfig)]
            found.servers["peer"] = stack.enter_context(running([str(peer.binary(say)), *flags], {}))
        yield found


def tools_of(cluster: Cluster) -> Tools:
    """kubectl and helm on this cluster."""
    programs = binaries.ensure(binaries.KUBECTL + binaries.HELM, say)
    return Tools(programs["kubectl"], programs["helm"], cluster.kubeconfig, CHARTS)


async def _stand_ins(
    stack: AsyncExitStack, api: KubeApi, cluster: Cluster, found: World, needs: Collection[Need], folder: Path
) -> dict[str, str]:
    """The settings of the stand-ins that are needed, until the end of the stack."""
    settings: dict[str, str] = {}
    if "grafana" in needs:
        settings |= await stack.enter_async_context(backends.grafana())
        found.tools = replace(found.tools, grafana=settings["GRAFANA_URL"])
    if "cilium" in needs:
        # The namespace of an agent, not of a task: it stays until the run ends.
        agents = await stack.enter_async_context(place_of("cilium", found.tools, found.names))
        settings |= await stack.enter_async_context(backends.cilium(api, cluster, agents.names["ns"]))
    if "documentation" in needs:
        settings |= await backends.documentation(folder)
    return settings


def servers_for(tasks: Collection[Task]) -> Sequence[str]:
    """Those that the tasks ask alone, or every one behind the door."""
    named = dict.fromkeys(task.server for task in tasks)
    return SERVERS if "door" in named else list(named)


def _command(servers: Sequence[str]) -> list[str]:
    words = [sys.executable, "-m", "kmcp_runtime.commands", "serve", *servers]
    return [*words, "--transport", "http", "--port", "{port}", "--management-port", "0"]


def _settings(world: World) -> dict[str, str]:
    """Of the suite: as it is by default, approval included."""
    return {
        "KUBECONFIG": str(world.tools.kubeconfig),
        "KMCP_HELM": str(world.tools.helm),
        "KMCP_CHART_DIRECTORY": str(CHARTS),
        "KMCP_AUDIT_FILE": str(world.audit),
        "KMCP_TIMEOUT": str(scaled(30)),
        **({"PROMETHEUS_URL": world.tools.prometheus} if world.tools.prometheus else {}),
    }


def _images(cluster: Cluster) -> dict[str, str]:
    if not cluster.ctr:
        # What a foreign cluster can pull.
        return {"image": cluster.image or environment.DEFAULT_IMAGE, "image2": "busybox:1.36"}
    for name in IMAGES:
        words = [*cluster.node, cluster.ctr, "--namespace", "k8s.io", "images", "tag", "--force", cluster.image, name]
        subprocess.run(words, check=True, capture_output=True)
    return {"image": IMAGES[0], "image2": IMAGES[1]}


async def _install_argo(api: KubeApi, cluster: Cluster, folder: Path) -> None:
    say("Argo Rollouts: images and controller")
    argo.put_images(cluster, binaries.ensure((binaries.BACKENDS["rollouts"],), say), folder)
    await argo.install(api)


async def _install_mesh(stack: AsyncExitStack, api: KubeApi, cluster: Cluster, world: World) -> dict[str, str]:
    say("Istio: kinds and a control plane of its own")
    programs = binaries.ensure((binaries.BACKENDS["istio"],), say)
    await serve_mesh_kinds(api)
    image = program_image(cluster, programs["pilot-discovery"], user="1337")
    mesh = await stack.enter_async_context(meshes.installed(api, cluster, programs["istioctl"], image))
    world.names |= {"mesh": mesh.namespace, "mesh_label": meshes.LABEL}
    return {"KMCP_ISTIOCTL": str(programs["istioctl"]), "ISTIO_NAMESPACE": mesh.namespace}


def _kubeconfig_of(context: str, folder: Path) -> Path:
    """A file that holds this context of the caller's kubeconfig, as its current one."""
    kubectl = str(binaries.ensure(binaries.KUBECTL, say)["kubectl"])
    words = [kubectl, "config", "view", "--minify", "--flatten", "--context", context]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RefusedContext(f"the kubeconfig has no usable context {context!r}: {done.stderr.strip()}")
    return _write(folder / "kubeconfig", yaml.safe_load(done.stdout))


def _two_contexts(cluster: Cluster, folder: Path) -> Path:
    """The kubeconfig with a second context, of a cluster that cannot be reached."""
    config: dict[str, Any] = yaml.safe_load(cluster.kubeconfig.read_text())
    user = config["users"][0]["name"]
    config["clusters"].append({"name": OTHER_CONTEXT, "cluster": {"server": "https://127.0.0.1:1"}})
    config["contexts"].append({"name": OTHER_CONTEXT, "context": {"cluster": OTHER_CONTEXT, "user": user}})
    return _write(folder / "two-contexts", config)


def _write(path: Path, content: Mapping[str, Any]) -> Path:
    path.write_text(json.dumps(content))
    path.chmod(0o600)
    return path


def private_folder() -> "tempfile.TemporaryDirectory[str]":
    """For kubeconfigs, the audit and Prometheus' data; gone at the end."""
    return tempfile.TemporaryDirectory(prefix="kmcp-evals-")
