"""Servers, clients and browsers under test whose deadlines are those of a quiet machine, scaled to this one."""

from typing import TYPE_CHECKING, Any

from kmcp_runtime import RuntimeSettings
from kmcp_runtime.kube.api import Limits
from tests.slowness import scaled

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext


def patient(**settings: Any) -> RuntimeSettings:
    """Settings of a server whose calls have as long as they need here."""
    return RuntimeSettings(**{"timeout": scaled(30), **settings})


def limits() -> Limits:
    """Of a client of the API server."""
    return Limits(request=scaled(30), connect=scaled(10))


def browsing(context: "BrowserContext") -> None:
    """Of what is done in this context of a browser; and, from now on, of what is expected of any page."""
    # Most of those who import this module need no browser.
    from playwright.async_api import expect

    context.set_default_timeout(scaled(30) * 1000)
    expect.set_options(timeout=scaled(10) * 1000)
