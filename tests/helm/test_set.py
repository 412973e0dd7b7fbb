"""What `set` and `values` mean as text (H1, H2): whatever the helm binary makes of it."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helm.conftest import CHARTS, Cli
from tests.mcp import ToolCaller

ECHO = str(CHARTS / "echo")
BASE = {"base": {"x": 1}, "list": [{"b": 1}, {"b": 2}]}
TEXTS = [
    *("enabled=False", "enabled=TRUE", "a=null", "present.gone=null", "present=null", "a=~", "a=", "a={}", "a={1,x,}"),
    *("list={a}", "list[0].b=9", "list[1]=x", "list[3]=x", "a[0][1]=x", "a[0].b[1].c={x,y}", "a={{x},y}"),
    *(r"a=x\,y", r"a\.b=c", r"a\.b\,c=d", r"a={x\,y,z}", r"a=\{x", r"a=x\\y", r"a\[0\]=x", "a=x=y", "a=b c", " a = b "),
    *("a=010", "a=0", "a=-1", "a=1.5", "a=1e3", "a=0x10", "a=9223372036854775808", "a=+1", "a=1_0"),
    *("a=1,b=2,a=3", "a.b=1,a.c=2", "base.x=2,base.y=3", "ä=ö", "a.b.c.d=e", 'a="x"', "a='x'", "a=x\ny", "a=,b=c"),
    *("a=true,b=[1]", "a={true,null,1}", "a[0]=1,a[1]=2", "a.0=x"),
    *("a", "a[", "a[x]=1", "a[-1]=1", "a[99999999]=1", "=x", "a={x", "base.x.y=1", "a..b=1", ".", "a=1,b"),
]


def printed(manifest: str) -> Any:
    (found,) = yaml.safe_load_all(manifest)
    return json.loads(found["data"]["values"])


def base_file(folder: Path) -> str:
    path = folder / "base.json"
    path.write_text(json.dumps(BASE))
    return str(path)


def rendered(helm: Path, base: str, text: str) -> subprocess.CompletedProcess[str]:
    argv = [str(helm), "template", "echo", ECHO, "-f", base, f"--set={text}"]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


async def check_same(tools: ToolCaller, helm: Path, namespace: str, base: str, text: str) -> bool:
    """Whether helm takes the text; the tool makes the same of it, or refuses it as helm does."""
    ended = rendered(helm, base, text)
    about: dict[str, Any] = {"name": "echo", "namespace": namespace, "chart": "echo", "install": True, "dry_run": True}
    if ended.returncode == 0:
        found = await tools.ok("helm_upgrade", **about, values=BASE, set=text)
        assert printed(found["manifest"]) == printed(ended.stdout), text
        return True
    error = await tools.fails("helm_upgrade", **about, values=BASE, set=text)
    assert error["code"] == "bad_argument", text
    assert error["hint"].startswith("set: "), text
    return False


@pytest.mark.cluster
async def test_set_as_text_is_read_by_helm(tools: ToolCaller, helm: Path, namespace: str, tmp_path: Path) -> None:
    base = base_file(tmp_path)
    taken = [await check_same(tools, helm, namespace, base, text) for text in TEXTS]
    assert min(sum(taken), len(taken) - sum(taken)) >= 5
    for odd in ("a=x\0y", f"a={'x' * 100_001}"):
        error = await tools.fails("helm_upgrade", name="echo", namespace=namespace, chart="echo", set=odd)
        assert error["code"] == "bad_argument"


@pytest.mark.cluster
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(r"ab.,=[]{}\01 tnN", min_size=1, max_size=14))
async def test_any_text_means_what_it_means_to_helm(
    tools: ToolCaller, helm: Path, namespace: str, tmp_path: Path, text: str
) -> None:
    await check_same(tools, helm, namespace, base_file(tmp_path), text)


VALUES = [
    *(
        "day: 2020-01-01",
        "at: 2020-01-01T10:00:00Z",
        "a: !!timestamp 2020-01-01",
        "a: yes",
        "a: 010",
        "a: 0o10",
        "a: 1_000",
    ),
    *(
        "a: 1e3",
        "a: 1e400",
        "a: 0x1F",
        "a: 99999999999999999999999",
        "a: ~",
        "1: x",
        "true: x",
        "a: !!binary aGk=",
        "a: .5",
    ),
    *(
        "a: |\n  x\n  y\n",
        "a: >-\n  x\n  y\n",
        "x: &x {a: 1}\ny: *x",
        "x: &x {a: 1}\ny: {<<: *x, b: 2}",
        "a: 12:30",
        "a: =",
        "a: '1'",
    ),
]


@pytest.mark.parametrize("text", VALUES)
async def test_values_as_text_are_read_as_helm_reads_them(
    charts_alone: ToolCaller, helm: Path, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "values.yaml"
    path.write_text(text)
    ours = await charts_alone.ok("helm_show", chart="echo", what="template", values=text)
    assert printed(ours["content"]) == printed(Cli(helm, tmp_path)("template", "echo", ECHO, "-f", str(path)))


@pytest.mark.parametrize("text", ["a: .inf", "a: -.Inf", "a: .NaN", "a: [", "- x", "a: 1\na: {", "? [a]\n: b"])
async def test_values_that_helm_cannot_read_are_refused_with_their_place(charts_alone: ToolCaller, text: str) -> None:
    error = await charts_alone.fails("helm_show", chart="echo", what="template", values=text)
    assert (error["code"], "values" in error["message"]) == ("bad_argument", True)
