"""What the bridge makes of requests as strangers send them."""

import json

import httpx2

from tests.bridge.conftest import Bridge, Start, program
from tests.bridge.test_bridge import JSON
from tests.runtime.test_requests import LIST, ODD, send

PAGE = "https://app.example.com"


async def test_http_is_read_as_by_servers(kept_running: Bridge) -> None:
    """X7: HTTP/1.0, media types in any case, a header that is there twice, ids that are none."""
    url = (await kept_running.ready()).url.removesuffix("/mcp")
    status, head, rest = await send(url, LIST, version="1.0")
    assert (status, f"content-length: {len(rest)}" in head, "transfer-encoding" in head) == (200, True, False)
    assert (await send(url, LIST, kind="Content-Type: Application/JSON"))[0] == 200
    assert (await send(url, LIST, "Host: 127.0.0.1", "Host: evil.example.com"))[0] == 400
    for odd in ODD:
        status, _, rest = await send(url, {**LIST, "id": odd})
        assert (status, json.loads(rest)["error"]["code"]) == (400, -32600), odd


async def test_hosts_are_compared_as_by_servers(start: Start) -> None:
    """By patterns, whatever their case and port; a named origin does not shut out programs that use another Host."""
    named = await start(*program("modern"), KMCP_ALLOWED_HOSTS="*.Example.com, tools:80").ready()
    pod = await start(*program("modern"), KMCP_HOST="0.0.0.0", KMCP_ALLOWED_ORIGINS=PAGE).ready()
    async with httpx2.AsyncClient(trust_env=False, headers=JSON) as http:

        async def status(bridge: Bridge, **headers: str) -> int:
            return (await http.post(bridge.url, json=LIST, headers=headers)).status_code

        for host in ("a.example.com", "A.EXAMPLE.com:8080", "TOOLS", "tools:3000", "localhost", "[::1]:7", "127.9.9.9"):
            assert await status(named, host=host) == 200, host
        for host in ("example.com", "a.example.com.evil.org", "tools.evil.org", ""):
            assert await status(named, host=host) in (400, 421), host
        assert await status(pod, host="tools.team.svc:3000") == 200
        for bridge, origin, code in ((pod, PAGE, 200), (pod, "http://localhost:6274", 200), (pod, "null", 403)):
            assert await status(bridge, host="tools.team.svc:3000", origin=origin) == code, origin
        assert await status(named, host="tools", origin=PAGE) == 403
        assert await status(named, host="tools", origin="http://localhost:6274") == 200
