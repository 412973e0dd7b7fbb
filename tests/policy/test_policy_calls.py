"""Calls under a policy, through MCP clients: over HTTP and in process, in both revisions, at every path."""

import json
import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace as changed
from pathlib import Path
from typing import Any, Literal

import pytest
from fastmcp import Client
from joserfc.jwk import RSAKey

from kmcp_runtime import Effect, RuntimeSettings, SettingsError, judging, tool, tools_in
from kmcp_runtime.engine import auth
from kmcp_runtime.engine.assembly import http_app
from kmcp_runtime.engine.configured import ConfiguredServer, Process
from kmcp_runtime.policy import policies
from tests.audit.making import calls, records
from tests.mcp import ToolCaller
from tests.runtime import shelf
from tests.runtime.conftest import connected, shelf_of, shelved
from tests.runtime.shelf import Shelf, Waited
from tests.runtime.test_auth import AUDIENCE, ISSUER, issuing, jwt_settings, signed
from tests.serving import served

POLICY = """
@id("readers")
permit (principal, action in Action::"shelf", resource)
when { principal.authenticated && context.effect == Effect::"read" };

@id("alice-writes")
permit (principal == User::"alice", action, resource in Server::"shelf")
when {
  context.effect == Effect::"write" || (context.effect == Effect::"destroy" && context.approval == Approval::"token")
};

@id("no-poems") @contact("the poets")
forbid (principal, action, resource)
when { context.arguments has name && context.arguments.name like "poem*" };

@id("bob-burns-nothing")
forbid (principal == User::"bob", action == Action::"shelf_burn", resource);

@id("agents-only-list")
forbid (principal, action, resource)
when { principal.agent == "robot" && !(action == Action::"shelf_list") };
"""
READING = {"shelf_list", "shelf_read", "shelf_tidy", "shelf_wait", "shelf_since", "shelf_break", "shelf_refuse"}
Mode = Literal["legacy", "2026-07-28"]
MODES = pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.cedar"
    path.write_text(POLICY)
    return path


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    path = tmp_path / "tokens"
    path.write_text("alices-token alice\nbobs-token bob\nreaders-token rita read\nlisting-token lea list\n")
    return path


@asynccontextmanager
async def guarded(**settings: Any) -> AsyncIterator[tuple[str, Any]]:
    instance = shelved(**settings)
    async with instance.opened(), served(http_app("shelf", [instance], auth.provider(instance.runtime))) as url:
        yield url, instance


@MODES
@pytest.mark.parametrize("path", ["/mcp", "/shelf/mcp"])
async def test_the_list_and_the_calls_follow_the_policy(
    policy: Path, tokens: Path, mode: Mode, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with guarded(policy=str(policy), auth_tokens_file=str(tokens), policy_contact="Rosa") as (url, instance):
        async with Client(f"{url}{path}", auth="alices-token", mode=mode) as client:
            alice = ToolCaller(client)
            assert {tool.name for tool in await client.list_tools()} == READING | {"shelf_put", "shelf_burn"}
            await alice.ok("shelf_put", name="moby", text="dick")
            refused = await alice.fails("shelf_put", name="poem-1", text="x")
            assert refused["code"] == "denied"
            assert "'no-poems'" in refused["message"] or "no-poems" in refused["message"]
            assert refused["hint"] == "ask the poets for a rule"
            assert refused["rule"] == "no-poems"
        async with Client(f"{url}{path}", auth="bobs-token", mode=mode) as client:
            bob = ToolCaller(client)
            assert {tool.name for tool in await client.list_tools()} == READING
            tidy = next(tool for tool in await client.list_tools() if tool.name == "shelf_tidy")
            assert "clear" not in json.dumps(tidy.input_schema), "the reading form alone"
            assert (await bob.fails("shelf_put", name="a", text="b"))["hint"] == "ask Rosa for a rule"
            assert (await bob.fails("shelf_burn", name="moby"))["rule"] == "bob-burns-nothing"
        assert shelf_of(instance).books == {"moby": "dick"}
    lines = calls(records(capsys.readouterr().err))  # a trail of a test before may end with a line of its own
    assert [(line["caller"], line["tool"], line["decision"], line["rule"]) for line in lines] == [
        ("alice", "shelf_put", "allow", "alice-writes"),
        ("alice", "shelf_put", "deny", "no-poems"),
        ("bob", "shelf_put", "deny", "default"),
        ("bob", "shelf_burn", "deny", "bob-burns-nothing"),
    ]


async def test_a_refusal_is_the_same_whether_or_not_the_object_exists(policy: Path, tokens: Path) -> None:
    async with guarded(policy=str(policy), auth_tokens_file=str(tokens)) as (url, instance):
        shelf_of(instance).books["poem-here"] = "x"
        async with Client(f"{url}/mcp", auth="alices-token") as client:
            answers = [await ToolCaller(client).fails("shelf_read", name=name) for name in ("poem-here", "poem-gone")]
    assert answers[0] == answers[1]


@MODES
async def test_scopes_are_the_most_whatever_the_policy_says(tokens: Path, tmp_path: Path, mode: Mode) -> None:
    everything = tmp_path / "all.cedar"
    everything.write_text("permit (principal, action, resource);")
    async with guarded(policy=str(everything), auth_tokens_file=str(tokens)) as (url, _):
        async with Client(f"{url}/mcp", auth="readers-token", mode=mode) as client:
            assert {tool.name for tool in await client.list_tools()} == READING
            assert (await ToolCaller(client).fails("shelf_put", name="a", text="b"))["code"] == "denied"
        async with Client(f"{url}/mcp", auth="listing-token", mode=mode) as client:
            assert "shelf_put" in {tool.name for tool in await client.list_tools()}
            assert (await ToolCaller(client).fails("shelf_list"))["code"] == "denied"


async def test_a_policy_sees_how_a_destroying_call_was_approved(policy: Path, tokens: Path) -> None:
    async with guarded(policy=str(policy), auth_tokens_file=str(tokens)) as (url, instance):
        shelf_of(instance).books["moby"] = "dick"
        async with Client(f"{url}/mcp", auth="alices-token") as client:
            alice = ToolCaller(client)
            asked = await alice.fails("shelf_burn", name="moby")
            assert asked["code"] == "approval_required"
            await alice.ok("shelf_burn", name="moby", approval=asked["approval"])
    async with guarded(policy=str(policy), auth_tokens_file=str(tokens), approval="off") as (url, instance):
        shelf_of(instance).books["moby"] = "dick"
        async with Client(f"{url}/mcp", auth="alices-token") as client:
            # The rule wants a token; there the configuration says yes, so it is refused before anything happens.
            assert "shelf_burn" not in {tool.name for tool in await client.list_tools()}
            assert (await ToolCaller(client).fails("shelf_burn", name="moby"))["code"] == "denied"
        assert shelf_of(instance).books == {"moby": "dick"}


@MODES
async def test_an_agent_is_known_by_what_it_calls_itself(policy: Path, tokens: Path, mode: Mode) -> None:
    import mcp_types

    robot = mcp_types.Implementation(name="robot", version="1")
    async with guarded(policy=str(policy), auth_tokens_file=str(tokens)) as (url, _):
        async with Client(f"{url}/mcp", auth="alices-token", mode=mode, client_info=robot) as client:
            assert {tool.name for tool in await client.list_tools()} == {"shelf_list"}
            assert (await ToolCaller(client).fails("shelf_since"))["rule"] == "agents-only-list"


async def test_over_stdio_and_in_process_nobody_is_authenticated(policy: Path) -> None:
    async with connected(shelved(policy=str(policy))) as caller:
        assert await caller.client.list_tools() == []
        assert (await caller.fails("shelf_list"))["code"] == "denied"


ALLOWS, DENIES = "permit (principal, action, resource);", "forbid (principal, action, resource);"


def replace(path: Path, text: str) -> None:
    other = path.with_suffix(".new")
    other.write_text(text)
    other.rename(path)


async def test_a_changed_policy_is_read_again_and_a_broken_one_is_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "policy.cedar"
    path.write_text(ALLOWS)
    caplog.set_level(logging.INFO, "kmcp.policy")
    async with connected(shelved(policy=str(path))) as caller:
        await caller.ok("shelf_list")
        replace(path, DENIES)
        assert (await caller.fails("shelf_list"))["code"] == "denied"
        assert await caller.client.list_tools() == []
        replace(path, ALLOWS)
        await caller.ok("shelf_list")
        for broken in (
            "permit (principal, action, resource",
            "",
            'permit (principal, action, resource) when { resource.nmae == "x" };',
        ):
            caplog.clear()
            replace(path, broken)
            for _ in range(3):
                await caller.ok("shelf_list")
            told = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
            assert len(told) == 1, "once for each change"
            assert "the last good one stays in force" in told[0]
            assert str(path) in told[0]
        caplog.clear()
        path.unlink()
        await caller.ok("shelf_list")
        assert [record for record in caplog.records if record.levelno == logging.ERROR]
        path.write_text(DENIES)
        await caller.fails("shelf_list")


async def test_a_mounted_configmap_is_switched_as_a_whole(tmp_path: Path) -> None:
    """The kubelet's way: a link `..data` to a directory of a version, replaced by rename."""
    mounted = tmp_path / "policy"
    for version, text in (("..one", ALLOWS), ("..two", DENIES)):
        (mounted / version).mkdir(parents=True)
        (mounted / version / "a.cedar").write_text(text)
    os.symlink("..one", mounted / "..data")
    os.symlink("..data/a.cedar", mounted / "a.cedar")
    async with connected(shelved(policy=str(mounted))) as caller:
        await caller.ok("shelf_list")
        os.symlink("..two", mounted / "..data_tmp")
        (mounted / "..data_tmp").rename(mounted / "..data")
        await caller.fails("shelf_list")
        (mounted / "b.cedar").write_text("permit (principal, action, resource)")  # not complete
        await caller.fails("shelf_list")


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("permit (principal, action, resource", "1:28", "not complete"),
        ("", "1:1", "no rule"),
        ("// nothing\n", "1:1", "no rule"),
        ('permit (principal, action, resource)\nwhen { resource.nmae == "x" };', "2:17", "nmae"),
        ("permit (principal == ?principal, action, resource);", "1:22", "template"),
    ],
)
def test_a_server_does_not_start_with_a_policy_that_cannot_be_used(
    tmp_path: Path, text: str, place: str, words: str
) -> None:
    path = tmp_path / "policy.cedar"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        shelved(policy=str(path))
    assert f"policy.cedar:{place}: " in str(caught.value)
    assert words in str(caught.value)
    assert str(caught.value).startswith("--policy / KMCP_POLICY: ")


@pytest.mark.parametrize("name", ["absent.cedar", "absent/"])
def test_an_absent_policy_is_refused_at_start(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="KMCP_POLICY"):
        shelved(policy=str(tmp_path / name))


async def test_a_rule_that_cannot_be_evaluated_denies_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "policy.cedar"
    path.write_text(
        ALLOWS + '@id("sums") forbid (principal, action, resource) when { 9223372036854775807 + context.hour > 0 && '
        "context.hour + 9223372036854775807 > 1 };"
    )
    async with connected(shelved(policy=str(path))) as caller:
        refused = await caller.fails("shelf_list")
    assert refused["code"] == "denied"
    assert "sums could not be evaluated" in refused["message"]


def test_without_a_policy_the_library_is_not_loaded() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from tests.runtime.conftest import shelved; shelved(); "
        "assert 'cedarpy' not in sys.modules, 'loaded'; assert 'kmcp_runtime.policy.policies' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2], timeout=60)
    assert RuntimeSettings().policy == ""


async def test_the_one_door_shows_and_passes_on_only_what_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / "policy.cedar"
    path.write_text('permit (principal, action, resource) when { context.effect == Effect::"read" };')
    async with connected(shelved(policy=str(path), listing="few")) as caller:
        found = await caller.text("search_tools", query="burn or put or list a book", limit=20)
        assert "shelf_list" in found
        assert "shelf_burn" not in found
        assert "shelf_put" not in found
        passed = {"name": "shelf_put", "arguments": {"name": "a", "text": "b"}}
        assert (await caller.fails("call_tool", **passed))["code"] == "denied"


@pytest.mark.parametrize("groups", ["oncall", ["oncall"]])
async def test_a_group_that_is_a_single_text_is_a_group(
    tmp_path: Path, groups: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "policy.cedar"
    path.write_text(f'{ALLOWS} @id("no-oncall") forbid (principal in Group::"oncall", action, resource);')
    keys = RSAKey.generate_key(2048)
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "carol", "exp": 4e9, "groups": groups}
    async with issuing(keys) as jwks, guarded(policy=str(path), **jwt_settings(jwks)) as (url, _):
        async with Client(f"{url}/mcp", auth=signed(keys, "RS256", claims)) as client:
            assert await client.list_tools() == []
            assert (await ToolCaller(client).fails("shelf_list"))["rule"] == "no-oncall"
    (line,) = calls(records(capsys.readouterr().err))
    assert (line["groups"], line["rule"]) == (["oncall"], "no-oncall")


@tool(Effect.WRITE)
async def shelf_drop(books: Shelf) -> Waited:
    """Drop a book."""
    judging.allow(judging.destroys("drops a book"))
    return Waited(seconds=0)


@tool(Effect.READ)
async def shelf_peek(books: Shelf) -> Waited:
    """Look at a book, and leave a mark in it."""
    judging.allow(judging.writes("marks a book"))
    return Waited(seconds=0)


@pytest.mark.parametrize(("token", "name"), [("walts-token", "shelf_drop"), ("readers-token", "shelf_peek")])
async def test_what_scopes_refuse_at_a_door_is_told_as_refused_by_them(
    tmp_path: Path, tokens: Path, token: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "policy.cedar"
    path.write_text(ALLOWS)
    with tokens.open("a") as file:
        file.write("walts-token walt write\n")
    server = changed(shelf.SERVER, tools=lambda: tools_in(sys.modules[__name__]))
    process = Process.of(RuntimeSettings(policy=str(path), auth_tokens_file=str(tokens)), [server])
    instance = ConfiguredServer(server, shelf.ShelfSettings(), process)
    app = http_app("shelf", [instance], auth.provider(instance.runtime))
    async with instance.opened(), served(app) as url, Client(f"{url}/mcp", auth=token) as client:
        error = await ToolCaller(client).fails(name)
    assert error["code"] == "denied"
    assert "rule" not in error
    (line,) = calls(records(capsys.readouterr().err))
    assert (line["outcome"], line["decision"], line["rule"]) == ("denied", "deny", "scopes")


async def test_a_request_looks_at_the_files_once(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Path] = []
    real = policies.stamp

    def stamp(path: Path) -> Any:
        looks.append(path)
        return real(path)

    async with connected(shelved(policy=str(policy))) as caller:
        monkeypatch.setattr(policies, "stamp", stamp)
        await caller.client.list_tools()
        assert len(looks) == 1
        await caller.fails("shelf_list")
        assert len(looks) == 2
