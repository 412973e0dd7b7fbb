"""`kmcp-suite deploy`: a project's MCPServer into a cluster, followed until it is ready."""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from kmcp_controller.catalog import configmaps
from kmcp_controller.cluster.client import Cluster
from kmcp_controller.preview.planner import open_cluster
from kmcp_develop.project.description import ProjectError, read_project
from kmcp_runtime.catalog import InvalidDocumentError
from kmcp_runtime.durations import time_limit
from kmcp_runtime.endings import INTERRUPTED
from kmcp_runtime.errors import ToolFailure
from kmcp_runtime.heartbeat import Heartbeat
from kmcp_runtime.kube.config import load_contexts
from kmcp_runtime.kube.failures import StatusFailure

from .manifest import read_one

MANAGER = "kmcp-suite-deploy"
_PAUSE = 1.0
_HOPELESS = ("ErrImageNeverPull", "ImagePullBackOff", "ErrImagePull", "InvalidImageName", "CreateContainerConfigError")
_HOPELESS_SECONDS = 20.0
"""A registry may be slow once; what fails for so long fails until somebody does something."""
_CONDITIONS = ("Accepted", "ResolvedRefs", "Programmed", "Ready", "ToolsDiscovered")
Object = dict[str, Any]


class DeploymentError(Exception):
    """Says why the server does not run, and what to do."""


def deploy(argv: Sequence[str]) -> int:
    """Apply the MCPServer of a project, and with --wait follow it until it is ready and its tools are listed."""
    parser = argparse.ArgumentParser("kmcp-suite deploy", description=deploy.__doc__)
    parser.add_argument("project", type=Path, nargs="?", default=Path(), help="its folder, or a manifest")
    parser.add_argument("--namespace", "-n", help="default: the manifest's, else the context's")
    parser.add_argument("--kubeconfig", default=os.environ.get("KUBECONFIG", ""), help="default: KUBECONFIG")
    parser.add_argument("--context", help="of the kubeconfig (default: its current one)")
    parser.add_argument("--dry-run", action="store_true", help="ask the API server, and store nothing")
    parser.add_argument("--wait", action="store_true", help="until it is ready; a new one that fails is deleted again")
    parser.add_argument("--keep", action="store_true", help="with --wait: leave what fails, to look at it")
    parser.add_argument("--timeout", type=time_limit, default=300.0, help="seconds of --wait (default: %(default).0f)")
    given = parser.parse_args(argv)
    try:
        manifest = _manifest(given.project)
        return asyncio.run(_deploy(manifest, given))
    except (ProjectError, DeploymentError, InvalidDocumentError, ToolFailure, OSError) as error:
        print(f"kmcp-suite deploy: {_told(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("kmcp-suite deploy: interrupted; what was applied stays", file=sys.stderr)
        return INTERRUPTED


def _told(error: Exception) -> str:
    if isinstance(error, StatusFailure) and error.http_status == 404:
        return (
            f"{error.message}: the cluster knows no MCPServer, or not this namespace; install the chart of kmcp-suite"
        )
    hint = getattr(error, "hint", None)
    return f"{error.message if isinstance(error, ToolFailure) else error}" + (f"; {hint}" if hint else "")


def _manifest(path: Path) -> Object:
    """The one MCPServer of a project or a file. Errors: ProjectError with each fault and its line."""
    file = path if path.is_file() else read_project(path).manifest
    if not file.is_file():
        raise ProjectError(f"{file} is not there: it holds the MCPServer that is deployed")
    _, written = read_one(file, "deployed")
    return written


async def _deploy(manifest: Object, given: argparse.Namespace) -> int:
    async with open_cluster(given.kubeconfig, given.context) as cluster:
        contexts = load_contexts(given.kubeconfig)
        metadata = manifest["metadata"]
        namespace = given.namespace or metadata.get("namespace") or contexts.named(given.context).namespace
        name = metadata["name"]
        before = await cluster.read("MCPServer", namespace, name)
        body = {**manifest, "metadata": {**metadata, "namespace": namespace}}
        found = await cluster.apply(body, force=False, manager=MANAGER, dry_run=given.dry_run)
        done = "changed" if before else "created"
        if before and before["metadata"].get("generation") == found["metadata"].get("generation"):
            done = "unchanged"
        print(f"MCPServer {namespace}/{name}: {done}{' (dry run: nothing is stored)' if given.dry_run else ''}")
        if given.dry_run or not given.wait:
            return 0
        try:
            await _follow(cluster, found, given.timeout)
        except DeploymentError:
            if before is None and not given.keep:
                await _withdraw(cluster, namespace, name)
            raise
        for line in await _tools(cluster, namespace, name):
            print(line)
        return 0


async def _follow(cluster: Cluster, applied: Object, seconds: float) -> None:
    """Print each condition as it changes. Errors: DeploymentError when it will not be, or is not in time, ready."""
    namespace, name = applied["metadata"]["namespace"], applied["metadata"]["name"]
    heartbeat = Heartbeat(lambda text: print(f"  {text}", flush=True))
    deadline, shown, since = time.monotonic() + seconds, dict[str, tuple[str, str]](), 0.0
    while True:
        live = await cluster.read("MCPServer", namespace, name)
        if live is None:
            raise DeploymentError(f"somebody deleted MCPServer {namespace}/{name}")
        conditions = _current(live, applied["metadata"].get("generation", 0))
        if _show(conditions, shown):
            heartbeat.happened()
        waited = [kind for kind in _CONDITIONS if conditions.get(kind, {}).get("status") != "True"]
        if not waited:
            return
        refused = conditions.get("Accepted", {})
        if refused.get("status") == "False":
            raise DeploymentError(f"the controller refuses it: {refused.get('message')}")
        messages = [str(each.get("message", "")) for each in conditions.values() if each.get("status") != "True"]
        message = next((text for text in messages if any(word in text for word in _HOPELESS)), "")
        since = (since or time.monotonic()) if message else 0.0
        if since and time.monotonic() - since > _HOPELESS_SECONDS:
            raise DeploymentError(f"its image cannot be used: {message}; push it where the nodes can pull it")
        if time.monotonic() > deadline:
            raise DeploymentError(_late(conditions, seconds))
        heartbeat.wait(waited[0] if conditions else "the controller")
        await asyncio.sleep(_PAUSE)


def _current(live: Object, generation: int) -> dict[str, Mapping[str, Any]]:
    """Conditions of this generation: those of the one before say nothing of what was applied."""
    conditions = (live.get("status") or {}).get("conditions") or ()
    return {each["type"]: each for each in conditions if each.get("observedGeneration", 0) >= generation}


def _show(conditions: Mapping[str, Mapping[str, Any]], shown: dict[str, tuple[str, str]]) -> bool:
    """Print what is new; whether there was something."""
    before = dict(shown)
    for kind in _CONDITIONS:
        found = conditions.get(kind)
        state = (str(found["status"]), str(found.get("message", ""))) if found else None
        if found and state and shown.get(kind) != state:
            shown[kind] = state
            print(f"  {kind}={found['status']} {found.get('reason', '')}: {found.get('message', '')}", flush=True)
    return shown != before


def _late(conditions: Mapping[str, Mapping[str, Any]], seconds: float) -> str:
    if not conditions:
        return f"no controller has looked at it within {seconds:.0f} s: is the chart of kmcp-suite installed there?"
    waits = [f"{kind}: {found.get('message')}" for kind, found in conditions.items() if found.get("status") != "True"]
    return f"it is not ready after {seconds:.0f} s: {'; '.join(waits) or 'its tools are not listed'}"


async def _withdraw(cluster: Cluster, namespace: str, name: str) -> None:
    live = await cluster.read("MCPServer", namespace, name)
    if live is not None:
        await cluster.delete(live)
        print(f"MCPServer {namespace}/{name}: deleted again (--keep leaves it)", file=sys.stderr)


async def _tools(cluster: Cluster, namespace: str, name: str) -> list[str]:
    """From the live catalog, where this user may read it; it is published some seconds after the conditions."""
    heartbeat = Heartbeat(lambda text: print(f"  {text}", flush=True))
    for _ in range(15):
        with suppress(ToolFailure, configmaps.InconsistentError):
            for server in await _published(cluster):
                if (server["namespace"], server["name"]) == (namespace, name) and server["tools"]:
                    return [f"  {tool['name']}: {tool['description']}" for tool in server["tools"]]
        heartbeat.wait("its tools in the catalog")
        await asyncio.sleep(_PAUSE)
    return ["  its tools are in the catalog that the controller serves"]


async def _published(cluster: Cluster) -> list[Mapping[str, Any]]:
    found = await cluster.list_objects("ConfigMap", None, configmaps.LABEL)
    servers: list[Mapping[str, Any]] = []
    for index in found:
        if index["metadata"]["name"] == configmaps.NAME:
            place = index["metadata"]["namespace"]
            shards = [each for each in found if each["metadata"]["namespace"] == place and each is not index]
            servers += configmaps.read(index, shards)["servers"]
    return servers
