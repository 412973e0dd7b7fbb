"""A Prometheus-only installation: no other server, no library of another server."""

import subprocess
import sys

from tests.slowness import scaled

PROGRAM = """
import asyncio, sys
from fastmcp import Client
from kmcp_prometheus.server import SERVER
from kmcp_prometheus.settings import PrometheusSettings
from kmcp_runtime.engine.assembly import assemble

async def main():
    async with Client(assemble(SERVER, PrometheusSettings(prometheus_url="http://127.0.0.1:9"))) as client:
        await client.call_tool("prometheus_query_tool", {"query": "up"}, raise_on_error=False)

asyncio.run(main())
print(" ".join(sorted({name.partition(".")[0] for name in sys.modules})))
"""
FOREIGN = {
    "kubernetes",
    "aiohttp",
    "kopf",
    "pyhelm3",
    "requests",
    "urllib3",
    "prometheus_api_client",
    "kmcp_controller",
}


def test_it_imports_nothing_of_others() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=scaled(150)
    )
    loaded = set(done.stdout.split())
    assert {"kmcp_runtime", "kmcp_prometheus", "httpx2"} <= loaded
    assert not FOREIGN & loaded
    assert {name for name in loaded if name.startswith("kmcp_")} == {"kmcp_runtime", "kmcp_prometheus"}
