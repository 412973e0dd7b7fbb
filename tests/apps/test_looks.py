"""Each view wide and narrow, light and dark: it fits and everybody can read it, in hosts of two makes."""

from typing import Any

import pytest
from fastmcp import Client
from playwright.async_api import Browser, expect

from tests.apps.hosting import SIZES, hosted
from tests.apps.pictures import NAMES, fixture_of, shown
from tests.browser.chromium import axe_faults

_FOCUSED = """document.activeElement === document.body ? -1
: [...document.querySelectorAll("*")].indexOf(document.activeElement)"""


@pytest.fixture
def client(name: str, request: pytest.FixtureRequest) -> Client[Any]:
    found: Client[Any] = request.getfixturevalue(fixture_of(name))
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
async def test_it_fits_and_can_be_read_by_everybody(
    browser: Browser, axe: str, client: Client[Any], name: str, scheme: str
) -> None:
    """WCAG 2 A and AA by axe, nothing wider than the window, and nothing that the frame cuts off."""
    answer = await shown(name, client)
    async with hosted(browser, client, answer.uri, scheme=scheme) as view:
        await view.deliver(answer.arguments, answer.result)
        for width in SIZES.values():
            await view.page.set_viewport_size({"width": width, "height": 900})
            await view.becomes(f"document.documentElement.clientWidth === {width}")
            await view.becomes("document.body.getBoundingClientRect().height <= innerHeight")
            assert await view.frame.evaluate("document.documentElement.scrollWidth") <= width
        assert await axe_faults(view.frame, axe) == []


@pytest.mark.parametrize("name", NAMES)
async def test_everything_is_reached_by_the_keyboard(browser: Browser, client: Client[Any], name: str) -> None:
    answer = await shown(name, client)
    async with hosted(browser, client, answer.uri) as view:
        await view.deliver(answer.arguments, answer.result)
        wanted = await view.frame.locator("button, summary, input, [tabindex='0']").count()
        reached = set()
        await view.frame.locator("body").click(position={"x": 1, "y": 1})
        for _ in range(wanted + 2):
            await view.page.keyboard.press("Tab")
            reached.add(await view.frame.evaluate(_FOCUSED))
        assert len(reached - {-1}) == wanted


@pytest.mark.parametrize("name", NAMES)
async def test_the_extensions_own_library_is_a_host_of_it(
    browser: Browser, bridge: str, client: Client[Any], name: str
) -> None:
    """Its bridge checks every message of the view against its schemas."""
    answer = await shown(name, client)
    tool = {"name": "the_tool", "inputSchema": {"type": "object"}}
    context = {"theme": "dark", "toolInfo": {"tool": tool}, "availableDisplayModes": ["inline", "fullscreen"]}
    async with hosted(
        browser, client, answer.uri, context=context, capabilities={"serverTools": {}}, bridge=bridge
    ) as view:
        await view.deliver(answer.arguments, answer.result)
        await expect(view.frame.locator("#body > *").first).to_be_visible()
        await view.page.evaluate("(answer) => { host.answer = answer; }", dict(answer.result))
        await view.frame.get_by_role("button", name="Refresh").click()
        await view.page.wait_for_function("host.calls.length === 1")
        assert await view.page.evaluate("host.calls[0]") == {"name": "the_tool", "arguments": dict(answer.arguments)}
        await view.frame.get_by_role("button", name="Enlarge").click()
        await expect(view.frame.get_by_role("button", name="Reduce")).to_be_visible()
        await view.notify("ui/notifications/host-context-changed", {**context, "theme": "light"})
        await view.becomes("getComputedStyle(document.body).backgroundColor === 'rgb(255, 255, 255)'")
        (*_, size) = await view.heard("ui/notifications/size-changed")
        assert size["params"]["height"] > 100
        await view.page.evaluate("host.bridge.teardownResource({})")
