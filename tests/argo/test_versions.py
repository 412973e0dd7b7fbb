"""A version is a version (A1): it becomes a part of the path of a program that the controller downloads and runs."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kmcp_runtime import versions
from tests.argo.test_absent import api_server, connected
from tests.mcp import ToolCaller


@pytest.fixture
async def tools(tmp_path: Path) -> AsyncIterator[ToolCaller]:
    async with connected(api_server(), tmp_path) as caller:
        yield caller


ODD = [
    *(
        "x/../../../../../other/repo/releases/download/v1",
        "v0.5.0/../v0.4.0",
        "v0.5.0\n",
        "\nv0.5.0",
        "v0.5.0\n- name: x",
    ),
    *(
        "latest",
        "",
        "v",
        "0.5",
        "v0.5.0 ",
        " v0.5.0",
        "v0.5.0?x=y",
        "v0.5.0#x",
        "v0.5.0%2f..",
        "V0.5.0",
        "vv0.5.0",
        "v0.5.0+x",
    ),
    *(
        "v٠.5.0",
        "v0.5.0-",
        "v0.5.0-a..b",
        "v01.5.0",
        "v0.5.0-rc/1",
        "v0.5.0\0",
        "http://x/v0.5.0",
        "..",
        "v0.5.0-" + "a" * 300,
    ),
]


@pytest.mark.parametrize("version", ODD)
async def test_what_is_not_a_release_is_refused(tools: ToolCaller, version: str) -> None:
    error = await tools.fails("argo_verify_gateway_plugin", should_install=True, version=version)
    assert (error["code"], "is not a release" in error["message"]) == ("bad_argument", True)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(version=st.text("v0123456789.-+/\\%?#\n ab", max_size=16))
def test_what_is_taken_is_one_segment_of_a_path(version: str) -> None:
    if versions.parse(version) is not None:
        assert not set(version) & set("/\\%?#\n \t")
        assert ".." not in version


ORDER = [
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
]
ORDER += ["1.0.0-rc.2", "1.0.0-rc.10", "1.0.0", "1.0.1-0", "1.0.1", "1.2.0", "1.10.0", "v2.0.0"]


def test_versions_have_their_published_order() -> None:
    assert sorted(ORDER, key=lambda text: versions.parse(text) or pytest.fail(text)) == ORDER
    assert versions.parse("1.0.0+a") == versions.parse("v1.0.0+b")
