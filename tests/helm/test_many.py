"""Ten thousand releases: names and states by labels, payloads only of what is shown."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

from fastmcp import Client
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from kmcp_helm.server import SERVER
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.helm.settings import HelmSettings
from tests.helm.storing import named
from tests.kubernetes.making import kubeconfig
from tests.mcp import ToolCaller
from tests.runtime.test_helm_payload import HELM_4, in_secret, stored
from tests.serving import served

RELEASES = 10_000
PAGE = 5_000


class Apiserver:
    """As much of an API server as a list of releases asks of it; every revision but the third is superseded."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.app = Starlette(
            routes=[
                Route("/api/v1/secrets", self.list),
                Route("/api/v1/namespaces/{namespace}/secrets/{name}", self.secret),
            ]
        )

    async def list(self, request: Request) -> JSONResponse:
        self.asked["list"] += 1
        assert "as=PartialObjectMetadataList" in request.headers["accept"]
        assert request.query_params["labelSelector"] == "owner=helm,status!=superseded"
        start, limit = int(request.query_params.get("continue") or 0), int(request.query_params["limit"])
        items = [self._metadata(number) for number in range(start, min(start + limit, RELEASES))]
        more = {"continue": str(start + limit)} if start + limit < RELEASES else {}
        return JSONResponse({"kind": "PartialObjectMetadataList", "metadata": more, "items": items})

    def _metadata(self, number: int) -> Any:
        name = f"app-{number:05}"
        labels = {"owner": "helm", "name": name, "status": "deployed", "version": "3"}
        return {"metadata": {"name": named(name, 3), "namespace": f"team-{number % 7}", "labels": labels}}

    async def secret(self, request: Request) -> JSONResponse:
        self.asked["secret"] += 1
        found = re.match(r"sh\.helm\.release\.v1\.(.+)\.v3", request.path_params["name"])
        assert found is not None
        body = {**HELM_4, "name": found[1], "namespace": request.path_params["namespace"], "version": 3}
        return JSONResponse({"kind": "Secret", "data": {"release": in_secret(stored(body))}})


async def test_only_what_is_shown_is_decoded(tmp_path: Path) -> None:
    apiserver = Apiserver()
    async with served(apiserver.app, lifespan="off") as url:
        settings = HelmSettings(kubeconfig=str(kubeconfig(url, tmp_path)))
        async with Client(assemble(SERVER, settings)) as client:
            tools = ToolCaller(client)
            first = await tools.ok("helm_list_releases", all_namespaces=True, limit=20)
            assert (first["total"], first["returned"], first["truncated"]) == (RELEASES, 20, True)
            assert [item["name"] for item in first["items"]] == [f"app-{number:05}" for number in range(20)]
            assert apiserver.asked == {"list": RELEASES // PAGE, "secret": 20}
            second = await tools.ok("helm_list_releases", all_namespaces=True, limit=20, cursor=first["cursor"])
            assert second["items"][0]["name"] == "app-00020"
            assert apiserver.asked["secret"] == 40
            found = await tools.ok("helm_list_releases", all_namespaces=True, filter="^app-09999$")
            assert [item["chart"] for item in found["items"]] == ["nginx"]
            assert apiserver.asked["secret"] == 41


async def test_a_driver_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    settings = HelmSettings(kubeconfig=str(kubeconfig("http://127.0.0.1:9", tmp_path)), helm_driver="sql")
    async with Client(assemble(SERVER, settings)) as client:
        error = await ToolCaller(client).fails("helm_list_releases", namespace="x")
        assert error["code"] == "unavailable"
        assert "SQL database" in error["message"]


async def test_a_cluster_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    settings = HelmSettings(kubeconfig=str(kubeconfig("http://127.0.0.1:9", tmp_path)))
    async with Client(assemble(SERVER, settings)) as client:
        for tool in ("helm_list_releases", "helm_get_release", "helm_upgrade", "helm_uninstall"):
            arguments = {"name": "a", "chart": "a"} if tool == "helm_upgrade" else {"name": "a"}
            given = {"namespace": "x", **(arguments if tool != "helm_list_releases" else {})}
            error = await ToolCaller(client).fails(tool, **given)
            assert error["code"] == "unavailable", tool
            assert "127.0.0.1:9" in error["message"]
