"""A controller that is killed as soon as a write of its own was answered; it prints that write first, and before it
`ready` when its watches run."""

import asyncio
import os
import signal
from typing import Any

from kmcp_controller.cluster import watches
from kmcp_controller.cluster.client import Cluster
from kmcp_controller.program.controller import Controller, Place
from kmcp_controller.reconcile.options import Options
from kmcp_runtime.kube import credentials
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.config import load_contexts
from tests.patience import limits


class MortalApi(KubeApi):
    async def send(self, method: str, path: str, *rest: Any, **named: Any) -> Any:
        answer = await super().send(method, path, *rest, **named)
        if method != "GET":
            print(method, path, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        return answer


async def main(kubeconfig: str, namespace: str) -> None:
    contexts = load_contexts(kubeconfig)
    context = contexts.named(None)
    api = MortalApi(contexts, context, limits())
    controller = Controller(Cluster(api), Options(), Place(namespaces=(namespace,)))
    ready = asyncio.Event()
    telling = asyncio.create_task(tell(ready))
    await watches.run(
        controller, await credentials.load(contexts, context), context, namespaces=(namespace,), ready_flag=ready
    )
    await telling


async def tell(ready: asyncio.Event) -> None:
    await ready.wait()
    print("ready", flush=True)
