"""What the bridge makes of requests as strangers send them."""

import json

from tests.bridge.conftest import Bridge
from tests.runtime.test_requests import LIST, ODD, send


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
