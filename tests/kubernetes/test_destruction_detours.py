"""What destroys by a detour, on the real cluster: by several requests, or through another's controller."""

from pathlib import Path

import pytest
from fastmcp import Client

from kmcp_kubernetes.server import SERVER
from kmcp_kubernetes.settings import KubernetesSettings
from kmcp_runtime.engine.assembly import assemble
from tests.cluster.model import Cluster
from tests.kubernetes.descriptions.test_descriptions import kubectl_run
from tests.kubernetes.places import Place
from tests.kubernetes.test_destruction import asked
from tests.mcp import ToolCaller
from tests.patience import patient

pytestmark = pytest.mark.cluster


def settings_text(name: str = "settings", **data: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {data}\n"


async def test_D1_what_the_takeover_of_a_client_side_apply_removes_is_asked(
    careful: ToolCaller, place: Place, kubectl: Path, cluster: Cluster
) -> None:
    """The first request removes nothing; the one after the takeover, which is the same, does."""

    async def applied() -> None:
        text = settings_text(only="here", second="there")
        await kubectl_run(kubectl, cluster, "apply", f"--namespace={place.namespace}", "--filename=-", text=text)

    await applied()
    path = f"{place.core}/configmaps/settings"
    call = {"manifest": settings_text(second="there"), "namespace": place.namespace}
    lost = [f"removes key only of ConfigMap {place.namespace}/settings"]
    assert await asked(careful, place, path, "k8s_apply_manifest", **call) == lost
    assert (await place.api.get(path))["data"] == {"second": "there"}

    # With another value too: the steps of the call change the object before the one that removes.
    await place.api.send("DELETE", path)
    await applied()
    call |= {"manifest": settings_text(second="other"), "force": True}
    assert lost[0] in await asked(careful, place, path, "k8s_apply_manifest", **call)
    assert (await place.api.get(path))["data"] == {"second": "other"}

    # What keeps everything is taken over without a question.
    await place.api.send("DELETE", path)
    await applied()
    call["manifest"] = settings_text(only="here", second="there", third="new")
    assert (await careful.ok("k8s_apply_manifest", manifest=call["manifest"], namespace=place.namespace))["changed"]


async def test_D10_what_changes_during_a_long_call_is_judged_as_it_is_by_then(
    settings: KubernetesSettings, tools: ToolCaller, place: Place
) -> None:
    names = [f"n{number}" for number in range(20)]
    manifest = "---\n".join(settings_text(name, a="b") for name in names)
    within = {"namespace": place.namespace}
    await tools.ok("k8s_apply_manifest", manifest=manifest, **within)
    added = False

    async def add(done: float, total: float | None, message: str | None) -> None:
        # Only the real run tells its progress: the rehearsal of all documents is over.
        nonlocal added
        if not added:
            added = True
            await tools.ok("k8s_apply_manifest", manifest=settings_text(names[-1], a="b", precious="x"), **within)

    async with Client(assemble(SERVER, settings, patient()), progress_handler=add) as client:
        changed = manifest.replace("'b'", "'c'")
        error = await ToolCaller(client).fails("k8s_apply_manifest", manifest=changed, **within)
    assert added
    assert error["code"] == "conflict"
    assert f"removes key precious of ConfigMap {place.namespace}/{names[-1]}" in error["message"]
    assert (await place.api.get(f"{place.core}/configmaps/{names[-1]}"))["data"] == {"a": "b", "precious": "x"}
