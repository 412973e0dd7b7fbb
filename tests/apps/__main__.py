"""`python -m tests.apps`: the pictures of the views in the documentation."""

import asyncio
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from fastmcp import Client

from kmcp_argo.server import SERVER as ARGO
from kmcp_kubernetes.server import SERVER as KUBERNETES
from kmcp_prometheus.server import SERVER as PROMETHEUS
from kmcp_prometheus.settings import PrometheusSettings
from kmcp_runtime.engine.assembly import assemble
from tests.apps import mesh_metrics
from tests.apps.conftest import showing
from tests.apps.hosting import SIZES, hosted
from tests.apps.pictures import NAMES, fixture_of, shown
from tests.browser.chromium import CHROMIUM, launched
from tests.cluster import binaries
from tests.patience import patient
from tests.prometheus import program

DOCS = Path("docs/assets/apps")
_CONTEXT = {"timeZone": "UTC", "locale": "en-GB"}


async def take(folder: Path, everything: bool) -> None:
    """One picture of each view for the documentation, or of each size and scheme to look at."""
    folder.mkdir(parents=True, exist_ok=True)
    programs = binaries.ensure((binaries.BACKENDS["prometheus"],), print)
    with tempfile.TemporaryDirectory() as data:
        program.backfill(programs, Path(data), mesh_metrics.openmetrics())
        with program.running(programs, Path(data), program.EMPTY) as url:
            async with AsyncExitStack() as stack, launched() as browser:
                settings = PrometheusSettings(prometheus_url=url)
                servers = {
                    "metrics": assemble(PROMETHEUS, settings, patient()),
                    "argo": assemble(ARGO),
                    "kubernetes": assemble(KUBERNETES),
                }
                clients = {name: await stack.enter_async_context(showing(found)) for name, found in servers.items()}
                for name in NAMES:
                    await _pictures(browser, clients[fixture_of(name)], name, folder, everything)


async def _pictures(browser: Any, client: Client[Any], name: str, folder: Path, everything: bool) -> None:
    answer = await shown(name, client)
    sizes = [(size, scheme) for size in SIZES for scheme in ("light", "dark")] if everything else [("middle", "light")]
    for size, scheme in sizes:
        context = hosted(browser, client, answer.uri, width=SIZES[size], scheme=scheme, context=_CONTEXT)
        async with context as view:
            await view.deliver(answer.arguments, answer.result)
            await view.becomes("document.body.getBoundingClientRect().height <= innerHeight")
            path = folder / (f"{name}-{size}-{scheme}.png" if everything else f"{name}.png")
            await view.page.locator("iframe").screenshot(path=path)


if __name__ == "__main__":
    if CHROMIUM is None:
        sys.exit("no Chromium is on this machine")
    chosen = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    asyncio.run(take(chosen or DOCS, everything=chosen is not None))
