"""Clients that are a ServiceAccount with exactly these rights, and what tools say when one is missing."""

import json
import secrets
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastmcp import Client
from fastmcp.client.client import CallToolResult

from kmcp_runtime import Rule, Server
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.settings import ClusterSettings
from tests.mcp import ToolCaller, text_of
from tests.patience import patient

RBAC = "/apis/rbac.authorization.k8s.io/v1"


@asynccontextmanager
async def holding(
    api: KubeApi, server: Server, settings: ClusterSettings, namespace: str, rules: Iterable[Rule], folder: Path
) -> AsyncIterator[ToolCaller]:
    """A server as a new ServiceAccount that holds these rules in the whole cluster, and nothing else."""
    async with granted(api, namespace, rules) as name, acting(api, server, settings, namespace, name, folder) as caller:
        yield caller


@asynccontextmanager
async def granted(api: KubeApi, namespace: str, rules: Iterable[Rule]) -> AsyncIterator[str]:
    """The name of a new ServiceAccount that holds these rules in the whole cluster, and nothing else."""
    name = f"kmcp-test-{secrets.token_hex(4)}"
    await _grant(api, namespace, name, rules)
    try:
        yield name
    finally:
        # They are of the whole cluster, so the end of the namespace does not take them away.
        for kind in ("clusterrolebindings", "clusterroles"):
            await api.send("DELETE", f"{RBAC}/{kind}/{name}")


@asynccontextmanager
async def acting(
    api: KubeApi, server: Server, settings: ClusterSettings, namespace: str, account: str, folder: Path
) -> AsyncIterator[ToolCaller]:
    """A server as a ServiceAccount that exists."""
    own = settings.model_copy(
        update={"kubeconfig": str(await write_kubeconfig(api, settings, namespace, account, folder))}
    )
    async with Client(assemble(server, own, patient(approval="off", audit=False))) as client:
        yield ToolCaller(client)


async def write_kubeconfig(api: KubeApi, settings: ClusterSettings, namespace: str, account: str, folder: Path) -> Path:
    """That of a ServiceAccount, with the cluster of the settings' own."""
    found = folder / f"{account}.yaml"
    found.write_text(_kubeconfig(settings.kubeconfig, await create_token(api, namespace, account)))
    return found


async def create_token(api: KubeApi, namespace: str, name: str, *audiences: str, seconds: int = 3600) -> str:
    """One of a ServiceAccount; without audiences for the API server itself."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
    body = {"spec": {"audiences": list(audiences), "expirationSeconds": seconds}}
    return str((await api.send("POST", path, (), body))["status"]["token"])


def forged(token: str) -> str:
    """The same with another signature."""
    # The character before the last: the last one carries bits that no signature has.
    return token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1]


def without(rules: Iterable[Rule], rule: Rule, verb: str) -> list[Rule]:
    """The same rules with one verb of one of them taken away."""
    kept = [replace(each, verbs=tuple(v for v in each.verbs if v != verb)) if each == rule else each for each in rules]
    return [each for each in kept if each.verbs]


def each_tool(server: Server) -> list[Any]:
    """Parameters `declared`: every tool."""
    return [pytest.param(declared, id=declared.name) for declared in server.tools()]


def each_verb(server: Server) -> Iterator[Any]:
    """Parameters `declared, rule, verb`: every verb of every rule that a tool declares."""
    for declared in server.tools():
        for rule in declared.needs:
            for verb in rule.verbs:
                yield pytest.param(declared, rule, verb, id=f"{declared.name}-{verb}-{','.join(rule.resources)}")


def complaints(result: CallToolResult) -> list[str]:
    """What a call says that went wrong: the error, or the lines of an answer that tell of a missing right."""
    text = text_of(result.content)
    return [text] if result.is_error else [line for line in text.splitlines() if _complains(line)]


def names_only(said: str, rule: Rule, verb: str) -> bool:
    """Whether the verb is said to be missing, and nothing else; with the resource, where the rule names it."""
    # In the text of an error the API server's words are JSON in JSON, with their quotes escaped.
    missing = [line for line in said.replace('\\"', '"').splitlines() if "cannot " in line]
    named = [resource for resource in rule.resources if "*" not in resource]
    return (
        bool(missing)
        and all(f"cannot {verb} resource" in line for line in missing)
        and (not named or any(f'resource "{resource}"' in line for line in missing for resource in named))
    )


def _complains(line: str) -> bool:
    # That a rehearsed call needs a yes is no complaint.
    return "forbidden" in line or (line.startswith("warning: ") and "needs approval: " not in line)


async def _grant(api: KubeApi, namespace: str, name: str, rules: Iterable[Rule]) -> None:
    await api.send("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", (), {"metadata": {"name": name}})
    policy = [{"apiGroups": [rule.group], "resources": [*rule.resources], "verbs": [*rule.verbs]} for rule in rules]
    await api.send("POST", f"{RBAC}/clusterroles", (), {"metadata": {"name": name}, "rules": policy})
    subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
    binding = {"metadata": {"name": name}, "roleRef": role, "subjects": [subject]}
    await api.send("POST", f"{RBAC}/clusterrolebindings", (), binding)


def _kubeconfig(admin: str, token: str) -> str:
    document: dict[str, Any] = yaml.safe_load(Path(admin).read_text())
    document["users"] = [{"name": user["name"], "user": {"token": token}} for user in document["users"]]
    return json.dumps(document)
