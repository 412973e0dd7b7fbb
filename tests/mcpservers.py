"""The kind MCPServer on a test cluster. It stays there: tests of other workers use it too, at the same time."""

from kmcp_controller.spec.crd import definition
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.failures import StatusFailure
from tests.applying import apply
from tests.waiting import until


async def serve_mcpservers(api: KubeApi) -> None:
    """Install our CRD, and wait until the API server serves the kind."""
    await apply(api, definition())
    await wait_for_mcpservers(api)


async def wait_for_mcpservers(api: KubeApi) -> None:
    async def answers() -> bool:
        try:
            await api.get("/apis/kagent.dev/v1alpha1/mcpservers")
        except StatusFailure as failure:
            if failure.http_status not in (404, 429, 503):  # 429: its storage is being made
                raise
            return False
        return True

    await until(answers, seconds=30, what="the kind MCPServer")
