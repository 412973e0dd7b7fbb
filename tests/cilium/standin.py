"""A pod whose `cilium-dbg` answers as an older version did: real exec of a program that notes what it was given."""

import json
import secrets
import shlex
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.execution import execute
from tests.cluster.model import Cluster
from tests.kubernetes.making import make, running

FOLDER = "/stand-in"
_NOTES = "/tmp/calls"


@dataclass(frozen=True)
class Answer:
    """What a command line is answered; `after` makes it so only once that other command was run."""

    words: str
    stdout: str = ""
    stderr: str = ""
    code: int = 0
    after: str | None = None


@dataclass
class StandIn:
    """A running stand-in."""

    api: KubeApi
    namespace: str
    pod: str

    async def calls(self) -> list[list[str]]:
        """The argument lists it was given so far, in order, but for the question for its version."""
        ended = await execute(
            self.api, self.namespace, self.pod, "cilium-agent", ["sh", "-c", f"cat {_NOTES}"], None, 30
        )
        calls = [part.split("\n") for part in ended.stdout.decode().split("\n\n") if part.strip()]
        return [call for call in calls if call[0] != "version"]


@asynccontextmanager
async def agent_of(
    api: KubeApi,
    cluster: Cluster,
    namespace: str,
    version: str,
    answers: Sequence[Answer],
    programs: Mapping[str, str] | None = None,
) -> AsyncIterator[StandIn]:
    """A Ready agent of that version in the namespace; `programs` are shell programs beside `cilium-dbg`."""
    name = f"cilium-{secrets.token_hex(3)}"
    told = json.dumps({"Client": {"Version": version}, "Daemon": {"Version": version}})
    program = _script([Answer("version -o json", told), *answers])
    body = {"metadata": {"name": name}, "data": {"cilium-dbg": program, **(programs or {})}}
    await make(api, f"/api/v1/namespaces/{namespace}/configmaps", body)
    await running(api, namespace, _pod(name, cluster.image))
    yield StandIn(api, namespace, name)
    await api.send("DELETE", f"/api/v1/namespaces/{namespace}/pods/{name}", (("gracePeriodSeconds", "0"),))


def _script(answers: Sequence[Answer]) -> str:
    """A shell program that notes its arguments, one a line, and answers the first command line that fits."""
    lines = ["#!/bin/sh", f'printf "%s\\n" "$@" >> {_NOTES}', f"echo >> {_NOTES}"]
    for answer in answers:
        condition = f'[ "$*" = {shlex.quote(answer.words)} ]'
        if answer.after:
            condition += f" && tr '\\n' ' ' < {_NOTES} | grep -q -- {shlex.quote(answer.after)}"
        lines += [
            f"if {condition}; then",
            f"  printf %s {shlex.quote(answer.stdout)}",
            f"  printf %s {shlex.quote(answer.stderr)} >&2",
            f"  exit {answer.code}",
            "fi",
        ]
    return "\n".join([*lines, 'echo "Error: not recorded: $*" >&2', "exit 1", ""])


def _pod(name: str, image: str) -> dict[str, Any]:
    container = {
        "name": "cilium-agent",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sleep", "86400"],
        "env": [{"name": "PATH", "value": f"{FOLDER}:/bin"}],
        "volumeMounts": [{"name": "program", "mountPath": FOLDER}],
    }
    volume = {"name": "program", "configMap": {"name": name, "defaultMode": 0o755}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"k8s-app": "cilium"}},
        "spec": {"containers": [container], "volumes": [volume], "terminationGracePeriodSeconds": 0},
    }
