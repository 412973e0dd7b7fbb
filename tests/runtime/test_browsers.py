"""What pages in browsers may do, and small rules of HTTP and of the command line (X3 to X6, X15)."""

import subprocess
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

from kmcp_runtime import serving
from kmcp_runtime.engine.assembly import http_app
from tests.installed import SUITE
from tests.runtime.conftest import shelved
from tests.serving import served

HEADERS = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
LIST: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
APP = "https://app.example.com"


@pytest.mark.parametrize("origin", ["http://evil.example.com", "null", APP + ".evil.example"])
async def test_an_origin_that_nobody_named_is_refused_everywhere(origin: str) -> None:
    """X5: also beyond loopback, under the server's own Host, as DNS rebinding would send it."""
    for named in ("", APP):
        instance = shelved(host="0.0.0.0", allow_unauthenticated=True, allowed_origins=named)
        async with instance.opened(), served(http_app("shelf", [instance], None)) as url, httpx2.AsyncClient() as http:
            host = {"Host": origin.rpartition("/")[2]} if "evil" in origin else {}
            answer = await http.post(f"{url}/mcp", json=LIST, headers=HEADERS | host | {"Origin": origin})
            # The test listens on loopback, where the Host of a named origin is refused first.
            assert answer.status_code in ((403,) if not named else (403, 421))
            assert "access-control-allow-origin" not in answer.headers
            assert (await http.post(f"{url}/mcp", json=LIST, headers=HEADERS)).status_code == 200


async def test_a_page_of_a_named_origin_can_use_the_server() -> None:
    """X4: preflight, and answers that its script may read."""
    named = f"{APP}, http://localhost:*"
    instance = shelved(host="0.0.0.0", allow_unauthenticated=True, allowed_origins=named)
    async with instance.opened(), served(http_app("shelf", [instance], None)) as url, httpx2.AsyncClient() as http:
        for origin in (APP, "http://localhost:6274"):
            asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            wanted = {"Access-Control-Request-Headers": "content-type, mcp-protocol-version, authorization"}
            preflight = await http.options(f"{url}/mcp", headers=asked | wanted)
            assert preflight.status_code == 200
            assert preflight.headers["access-control-allow-origin"] == origin
            answer = await http.post(f"{url}/mcp", json=LIST, headers=HEADERS | {"Origin": origin})
            assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, origin)
            assert "Mcp-Session-Id" in answer.headers["access-control-expose-headers"]
        other = {"Origin": "http://localhost.evil.example:1", "Access-Control-Request-Method": "POST"}
        assert (await http.options(f"{url}/mcp", headers=other)).status_code == 400


async def test_a_slash_at_the_end_is_the_same_address() -> None:
    """X6: without a redirect, which some clients follow without their body."""
    instance = shelved()
    async with instance.opened(), served(http_app("shelf", [instance], None)) as url, httpx2.AsyncClient() as http:
        for path in ("/mcp/", "/shelf/mcp/"):
            assert (await http.post(f"{url}{path}", json=LIST, headers=HEADERS)).status_code == 200, path


def test_a_connection_lives_longer_than_in_any_pool() -> None:
    """X3: load balancers keep one for as long as 600 s."""
    assert serving.server(Starlette()).config.timeout_keep_alive > 600


def test_a_reader_that_leaves_is_no_error() -> None:
    """X15: `kmcp-suite … | head`."""
    with subprocess.Popen([SUITE, "catalog", "export", "docker"], stdout=-1, stderr=-1) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        # A remark about where the images are, and no complaint about the pipe.
        assert process.stderr.read().count(b"\n") == 1
        process.wait()
