"""istioctl acts as the caller, too: what it reads of a cluster is what this caller may read."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.callers.conftest import MAY_IMPERSONATE, Place, Serving, allowed, kubeconfig, serving
from tests.cluster import binaries

pytestmark = pytest.mark.cluster


READS = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}]
TOOL = "istio_analyze_cluster_configuration"


@asynccontextmanager
async def with_istioctl(program: Path, place: Place, folder: Path) -> AsyncIterator[Serving]:
    """Servers whose own account may do nothing but impersonate."""
    config = await kubeconfig(place, "server", folder)
    own = {"act_as": "impersonate", "istioctl": str(program)}
    granted = {"token_review": True, "token_grants": "*=destroy", "stateful": False}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", str(config))
        async with allowed(place, MAY_IMPERSONATE), serving(place, config, own, **granted) as found:
            yield found


async def test_an_analysis_reads_as_its_caller(place: Place, tmp_path: Path) -> None:
    program = binaries.ensure((binaries.BACKENDS["istio"],), lambda text: None)["istioctl"]
    wanted = {"namespace": place.seen}
    async with with_istioctl(program, place, tmp_path) as mesh:
        async with allowed(place, READS, "viewer"), mesh.calling("viewer") as caller:
            found = await caller.ok(TOOL, **wanted)
        assert found["engine"] == "istioctl"
        assert any(place.seen_word in each["message"] for each in found["items"])
        for who in ("editor", "nobody"):
            async with mesh.calling(who) as caller:
                refused = await caller.fails(TOOL, **wanted)
            assert refused["code"] == "forbidden"
            assert f'User "{place.user(who)}" cannot' in refused["message"]


async def test_an_istioctl_that_acts_as_nobody_else_is_told(place: Place, tmp_path: Path) -> None:
    program = tmp_path / "istioctl"
    program.write_text("#!/bin/sh\necho 'Error: unknown flag: --as' >&2\nexit 1\n")
    program.chmod(0o755)
    async with with_istioctl(program, place, tmp_path) as mesh, allowed(place, READS, "viewer"):
        async with mesh.calling("viewer") as caller:
            failed = await caller.fails(TOOL, namespace=place.seen)
    assert (failed["code"], failed["hint"]) == ("unavailable", "take istioctl 1.25 or newer")
