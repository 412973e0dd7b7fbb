"""Looks at pods that wait for their gate."""

import asyncio
import json
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kmcp_controller.cluster.client import Cluster
from kmcp_controller.discovery.gates import Gatekeeper
from kmcp_controller.spec import MCPServer, parse
from kmcp_controller.status import Listing
from kmcp_runtime.catalog import Drift
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.config import load_contexts
from tests.controller.manifests import PLATFORM, manifest
from tests.patience import limits
from tests.serving import served
from tests.waiting import until


async def _never(server: MCPServer, given: str | Listing) -> Listing:
    raise AssertionError("there is no pod")


async def _no_drift(server: MCPServer, listing: Listing) -> Drift | None:
    return None


async def test_a_server_that_is_made_anew_has_one_look_that_ends_with_the_rest(tmp_path: Path) -> None:
    """The end of the look at the former one is not that of the look at the new one."""
    asked, going_on = list[str](), asyncio.Event()

    async def pods(request: Request) -> Response:
        asked.append(request.url.path)
        await going_on.wait()
        return JSONResponse({"items": []})

    app = Starlette(routes=[Route("/api/v1/namespaces/{namespace}/pods", pods)])
    async with served(app, lifespan="off") as base:
        config = {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c"}}],
            "clusters": [{"name": "c", "cluster": {"server": base}}],
        }
        kubeconfig = tmp_path / "config"
        kubeconfig.write_text(json.dumps(config))
        contexts = load_contexts(str(kubeconfig))
        api = KubeApi(contexts, contexts.named(None), limits())
        gates = Gatekeeper(Cluster(api), _never, _no_drift, lambda key: None, 60)
        server = parse(manifest({"image": "localhost/kmcp/kmcp-clock:1"}), PLATFORM)
        key = (server.namespace, server.name)

        async def count() -> int:
            return len(asked)

        try:
            gates.look(key, server)
            await until(count, lambda seen: seen == 1, what="the first look")
            gates.forget(key)
            gates.look(key, server)
            await until(count, lambda seen: seen == 2, what="the second look")
            await gates.stop()
            looking = [each for each in asyncio.all_tasks() if "Gatekeeper._look" in repr(each.get_coro())]
            assert looking == []
        finally:
            going_on.set()
            await api.close()
