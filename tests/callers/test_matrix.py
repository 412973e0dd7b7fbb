"""Three identities by every tool of the servers of a cluster: what one may read never reaches another.

The namespaces hold the same objects with another word in each. Whoever may read them asks first, so that every cache is
warm; then all ask for both at the same time.
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from kmcp_runtime import Server, ToolSpec
from tests.callers.conftest import SERVERS, WHO, Serving
from tests.callers.planted import NAME
from tests.cilium.examples import EXAMPLES
from tests.fuzz.calls import usual_arguments
from tests.istio.test_rights import CALLS as ISTIO_CALLS
from tests.kubernetes.scenarios import SCENARIOS, filled
from tests.mcp import ToolCaller, text_of

pytestmark = pytest.mark.cluster
_MOST = 3
"""Calls of one tool for one namespace: seconds of two cores."""
KINDS = ("pods", "events", "deployments", "rollouts", "httproutes")
_OUTSIDE = ("k8s_create_resource_from_url", "helm_repo_add", "helm_repo_update", "cilium_install_cilium")
"""What would ask hosts of the internet."""


def calls_of(declared: ToolSpec, namespace: str) -> Iterator[dict[str, Any]]:
    """Calls that would show what is planted in this namespace, and change nothing."""
    words = {"ns": namespace, "pod": NAME, "fresh": NAME, "gone": NAME}
    given: list[Any] = [usual_arguments(declared)]
    given += [filled(each, words) for each in SCENARIOS[declared.name].calls] if declared.name in SCENARIOS else []
    given += [filled(each, words) for each in ISTIO_CALLS.get(declared.name, ())]
    given += EXAMPLES[declared.name].calls({"{ns}": namespace}) if declared.name in EXAMPLES else []
    if declared.name == "k8s_get_resources":
        given += [{"resource_type": kind, "output": output} for kind in KINDS for output in ("json",)]
    fields = declared.input_schema()["properties"]
    given += [{**given[0], "all_namespaces": True}]
    own = {"namespace": namespace, "dry_run": True, "timeout_seconds": 1}
    seen: list[dict[str, Any]] = []
    for each in given:
        call = {name: NAME if value == "settings" else value for name, value in {**each, **own}.items()}
        # A probe needs a pod of its own.
        call = {name: value for name, value in call.items() if name in fields and value != "pod"}
        if call.get("all_namespaces"):
            del call["namespace"]
        if call not in seen and len(seen) < (_MOST if declared.name != "k8s_get_resources" else 10):
            seen.append(call)
            yield call


async def said(caller: ToolCaller, tool: str, arguments: dict[str, Any]) -> str:
    """Everything that the caller gets of a call."""
    result = await caller.client.call_tool(tool, arguments, raise_on_error=False)
    return text_of(result.content) + json.dumps(result.structured_content) + json.dumps(result.meta)


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: str(server.name))
async def test_no_word_of_one_identity_reaches_another(server: Server, acting: Serving) -> None:
    place, shown = acting.place, set()
    owners = {"viewer": place.seen, "editor": place.edited}
    async with AsyncExitStack() as stack:
        # The one door and the server's own path take turns.
        paths = {"viewer": "/mcp", "editor": f"/{server.name}/mcp", "nobody": "/mcp"}
        callers = {who: await stack.enter_async_context(acting.calling(who, paths[who])) for who in WHO}

        async def check(who: str, tool: str, arguments: dict[str, Any]) -> None:
            text = await said(callers[who], tool, arguments)
            for word in place.words_hidden_from(who):
                assert word not in text, f"{who} {tool} {arguments}: {text}"
            if who in owners and any(word in text for word in (place.seen_word, place.edited_word)):
                shown.add(tool)

        for declared in server.tools():
            if declared.name in _OUTSIDE:
                continue
            calls = {namespace: list(calls_of(declared, namespace)) for namespace in owners.values()}
            for who, namespace in owners.items():
                for arguments in calls[namespace]:
                    await check(who, declared.name, arguments)
            every = [
                (who, namespace, number)
                for who in WHO
                for namespace in calls
                for number in range(len(calls[namespace]))
            ]
            # Of what they own, once more beside the others.
            chosen = [each for each in every if owners.get(each[0]) != each[1] or not each[2]]
            await asyncio.gather(
                *(check(who, declared.name, calls[namespace][number]) for who, namespace, number in chosen)
            )
    assert len(shown) >= _LEAST[server.name], f"the words are shown to those who may read them by {sorted(shown)} only"


_LEAST = {"kubernetes": 5, "helm": 4, "argo": 2, "istio": 1, "cilium": 2}
"""Tools that show a word to whom they may: a test that saw none would say nothing."""
