"""What the frameworks make a model pay: for the list of all tools, and for one answer."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from unittest.mock import patch

from kmcp_runtime import RuntimeSettings
from kmcp_runtime.distributions import SERVERS
from kmcp_runtime.engine.assembly import http_app
from kmcp_runtime.engine.configured import ConfiguredServer, Process
from tests.frameworks.converting import PINS, run
from tests.serving import served

FRAMEWORKS = tuple(framework for framework in PINS if framework not in ("mcpadapt", "pydantic-ai (Google)"))
"""Those that make what a model gets; mcpadapt does so for others, and one framework stands twice."""
TWICE = frozenset({"google-genai", "google-adk", "llama-index-tools-mcp"})
"""Those whose models get an answer as text and as data."""
FORMS = {
    "as it is": "?tools=all",
    "two forms": "?tools=all&output-schemas",
    "one form": "?tools=all&output-schemas=false",
}
TOOL, ARGUMENTS = "query_documentation", {"query": "how does a person approve a destroying call"}


@dataclass(frozen=True)
class Paid:
    """What a model reads, in tokens as the suite counts them: four bytes each."""

    listed: int
    answered: int


@asynccontextmanager
async def suite(nothing: Path) -> AsyncIterator[str]:
    """The address of all own servers, of which only the one for documentation has its backend."""
    # Nothing around adds an argument to a tool.
    with patch.dict(os.environ, {"KUBECONFIG": str(nothing)}):
        process = Process.of(RuntimeSettings())
        own = [point.load() for point in entry_points(group=SERVERS) if point.module.startswith("kmcp_")]
        instances = [ConfiguredServer(server, server.settings(), process) for server in own]
        async with AsyncExitStack() as stack:
            for instance in instances:
                if TOOL in instance.names:
                    await stack.enter_async_context(instance.opened())
            url = await stack.enter_async_context(served(http_app("suite", instances, None)))
            yield f"{url}/mcp"


async def pay(framework: str, url: str) -> dict[str, Paid]:
    """What the framework hands its model, by the form that the address asks for."""
    urls: Sequence[str] = [f"{url}{query}" for query in FORMS.values()]
    found = await asyncio.to_thread(run, "pay.py", framework, TOOL, json.dumps(ARGUMENTS), *urls)
    paid = [Paid(**{name: len(text.encode()) // 4 for name, text in each.items()}) for each in found]
    return dict(zip(FORMS, paid, strict=True))
