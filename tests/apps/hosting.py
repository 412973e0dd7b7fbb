"""A host of views in a browser: a page that keeps to the protocol, with the view in a sandbox of its own origin."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mcp_types
from fastmcp import Client
from playwright.async_api import Browser, Frame, Page, Route, expect

from tests.slowness import scaled
from tests.waiting import until

HOST = "http://host.test/"
VIEW = "http://view.test/"
PAGE = Path(__file__).with_name("host.html")
BRIDGE = Path(__file__).parent / "bridge" / "host.html"
SIZES = {"narrow": 360, "middle": 768, "wide": 1440}


@dataclass
class Hosted:
    """A view in its host."""

    page: Page
    frame: Frame

    async def notify(self, method: str, params: Mapping[str, Any]) -> None:
        await self.page.evaluate("([method, params]) => host.notify(method, params)", [method, dict(params)])

    async def deliver(self, arguments: Mapping[str, Any], result: mcp_types.CallToolResult | Mapping[str, Any]) -> None:
        """The arguments of a call and its result, as the server sent it."""
        body = (
            result if isinstance(result, Mapping) else result.model_dump(by_alias=True, mode="json", exclude_none=True)
        )
        await self.notify("ui/notifications/tool-input", {"arguments": dict(arguments)})
        await self.notify("ui/notifications/tool-result", body)
        await expect(self.frame.locator("#state")).not_to_have_text("Waiting for the answer.")

    async def becomes(self, expression: str) -> None:
        """Return when an expression holds in the view, whose policy forbids to have it watched from within."""

        async def look() -> bool:
            return bool(await self.frame.evaluate(expression))

        await until(look, bool, 20, expression)

    async def heard(self, method: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self.page.evaluate(
            "(method) => host.heard.filter((each) => each.method === method)", method
        )
        return found


async def called(client: Client[Any], tool: str, arguments: Mapping[str, Any]) -> mcp_types.CallToolResult:
    """The result as it is on the wire, of a call that may fail."""
    return await client.call_tool_mcp(tool, dict(arguments))


def policy(csp: Mapping[str, list[str]]) -> str:
    """The header that the specification has a host make of a view's declared origins."""
    frames, bases = " ".join(csp["frameDomains"]) or "'none'", " ".join(csp["baseUriDomains"]) or "'self'"
    resources, connections = " ".join(csp["resourceDomains"]), " ".join(csp["connectDomains"])
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'unsafe-inline' {resources}",
            f"style-src 'self' 'unsafe-inline' {resources}",
            f"connect-src 'self' {connections}",
            f"img-src 'self' data: {resources}",
            f"frame-src {frames}",
            "object-src 'none'",
            f"base-uri {bases}",
        )
    )


@asynccontextmanager
async def hosted(
    browser: Browser,
    client: Client[Any],
    uri: str,
    *,
    width: int = 768,
    scheme: str = "light",
    context: Mapping[str, Any] | None = None,
    capabilities: Mapping[str, Any] | None = None,
    bridge: str | None = None,
) -> AsyncIterator[Hosted]:
    """The view at this address, read from the server, after its handshake. Whatever it asks of the network fails.

    `bridge` is the script of the extension's own library; with it the host is made of that.
    """
    (document,) = await client.read_resource(uri)
    assert isinstance(document, mcp_types.TextResourceContents)
    csp = (document.meta or {})["ui"]["csp"]
    asked: list[str] = []

    async def serve(route: Route) -> None:
        if route.request.url == HOST:
            shown = PAGE if bridge is None else BRIDGE
            await route.fulfill(body=shown.read_text(), content_type="text/html")
        elif bridge is not None and route.request.url == f"{HOST}bridge.js":
            await route.fulfill(body=bridge, content_type="text/javascript")
        elif route.request.url == VIEW:
            headers = {"Content-Security-Policy": policy(csp), "Content-Type": "text/html; charset=utf-8"}
            await route.fulfill(body=document.text, headers=headers)
        else:
            asked.append(route.request.url)
            await route.abort()

    window = await browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    page = await window.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    await page.route("**/*", serve)
    await page.goto(HOST)
    opening = [VIEW, dict(context or {}), dict(capabilities or {})]
    await page.evaluate("([url, context, capabilities]) => host.open(url, context, capabilities)", opening)
    await page.wait_for_function(
        "host.heard.some((each) => each.method === 'ui/notifications/initialized')", timeout=scaled(20) * 1000
    )
    frame = page.frame(url=VIEW)
    assert frame is not None
    yield Hosted(page, frame)
    assert await page.evaluate("host.faults") == []
    await window.close()
    # This module is no test's, so that what is wrong has to be said in words.
    assert errors == [], errors
    assert asked == [], asked
