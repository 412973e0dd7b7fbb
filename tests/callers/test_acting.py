"""What the API server sees of a caller whom a server acts as, and what nobody can make of it."""

import asyncio
import secrets
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport

from kmcp_kubernetes.server import SERVER as KUBERNETES
from kmcp_runtime.call import Call
from kmcp_runtime.identities import Caller, Identity
from kmcp_runtime.kube import acting as rules
from kmcp_runtime.kube.clusters import Clusters
from kmcp_runtime.kube.settings import ClusterSettings
from tests.callers.conftest import MAY_IMPERSONATE, Place, Serving, allowed, kubeconfig, serving
from tests.callers.planted import NAME
from tests.kubernetes.making import config_map, make
from tests.mcp import ToolCaller
from tests.rights import RBAC
from tests.runtime.raw_answers import LEGACY
from tests.waiting import until

pytestmark = pytest.mark.cluster
REVIEW = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


async def seen_as(clusters: Clusters, identity: Identity | None) -> dict[str, Any]:
    """Whom the API server takes the caller of this identity for."""
    call = Call("1", "t", "c", {}, 5.0, identity=identity)
    try:
        answer = await clusters.cluster(call).api.send("POST", REVIEW, (), {"kind": "SelfSubjectReview"})
    finally:
        call.ended()
    found: dict[str, Any] = answer["status"]["userInfo"]
    return found


@pytest.fixture
async def clusters(place: Place) -> Any:
    """As the administrator, who may act as anybody."""
    found = Clusters(ClusterSettings(kubeconfig=str(place.cluster.kubeconfig), act_as="impersonate", act_as_clients=8))
    yield found
    await found.close()


ODD_NAMES = (
    "jane@example.com",
    "zoë",
    "名前",
    "%41",
    "a%0d%0ab",
    "jane,root",
    'a"b',
    "é" * 500,
    "*",
    "a\x85b",
)


async def test_the_api_server_sees_every_name_as_it_is(clusters: Clusters) -> None:
    for name in ODD_NAMES:
        caller = Caller(name, "cluster", (f"group of {name}",), f"uid-{name}", {"example.com/%Key": [name]})
        found = await seen_as(clusters, rules.identity_of(caller, clusters.settings))
        assert found["username"] == name
        assert found["uid"] == f"uid-{name}"
        assert found["groups"] == [f"group of {name}", "system:authenticated"]
        # The API server has the keys in small letters.
        assert found["extra"] == {"example.com/%key": [name]}


async def test_many_identities_at_once_each_are_themselves(clusters: Clusters) -> None:
    slots = asyncio.Semaphore(16)

    async def ask(number: int) -> None:
        async with slots:
            found = await seen_as(clusters, Identity(f"user-{number}", groups=(f"group-{number}",)))
            assert (found["username"], found["groups"][0]) == (f"user-{number}", f"group-{number}")
            assert len(clusters.clients) <= 8 + 16

    await asyncio.gather(*(ask(number) for number in range(60)))
    assert len(clusters.clients) <= 8
    own = await seen_as(clusters, None)
    assert own["username"] not in {f"user-{number}" for number in range(60)}


async def test_a_refusal_says_who_was_refused(acting: Serving) -> None:
    async with acting.calling("nobody") as caller:
        body = await caller.fails("k8s_get_resources", resource_type="pods", namespace=acting.place.seen)
        assert body["code"] == "forbidden"
        assert f'User "{acting.place.user("nobody")}" cannot list' in body["message"]
        assert body["hint"].startswith(f"k8s_can_i shows the rights of {acting.place.user('nobody')}")
        # V15: only a tool of the server that was called.
        body = await caller.fails("argo_rollouts_list", namespace=acting.place.seen, all_namespaces=False)
        assert "k8s_can_i" not in body["hint"]
        assert "lacks this right" in body["hint"]


async def test_a_hint_names_no_tool_that_a_policy_denies(place: Place, tmp_path: Path) -> None:
    """V15, with a policy."""
    (tmp_path / "tokens").write_text("open-sesame jane\n")
    policy = tmp_path / "policy.cedar"
    policy.write_text('@id("some") permit (principal, action == Action::"k8s_get_resources", resource);\n')
    config = await kubeconfig(place, "nobody", tmp_path)
    for given, named in (({"policy": str(policy)}, False), ({}, True)):
        runtime = {"auth_tokens_file": str(tmp_path / "tokens"), **given}
        async with serving(place, config, {}, **runtime) as process:
            async with process.bearing({"Authorization": "Bearer open-sesame"}) as caller:
                body = await caller.fails("k8s_get_resources", resource_type="pods", namespace=place.seen)
        assert body["code"] == "forbidden"
        assert ("k8s_can_i" in body["hint"]) is named


async def test_headers_in_which_a_caller_names_himself_say_nothing(acting: Serving) -> None:
    forged = {
        "Impersonate-User": acting.place.user("viewer"),
        "Impersonate-Group": "system:masters",
        "X-Remote-User": "admin",
        "X-Remote-Group": "system:masters",
    }
    async with acting.calling("nobody", **forged) as caller:
        body = await caller.fails("k8s_get_resources", resource_type="pods", namespace=acting.place.seen)
    assert acting.place.user("nobody") in body["message"]


async def test_two_tokens_in_one_request_are_refused(acting: Serving) -> None:
    tokens = [await acting.place.token(who, "kmcp") for who in ("nobody", "viewer")]
    headers = [("Authorization", f"Bearer {token}") for token in tokens]
    async with httpx2.AsyncClient() as client:
        answer = await client.post(f"{acting.url}/mcp", json={}, headers=headers)
    assert answer.status_code == 400
    assert "more than one authorization header" in answer.text


async def test_a_cursor_is_good_for_its_caller_alone(acting: Serving) -> None:
    async with acting.calling("viewer") as viewer, acting.calling("nobody") as nobody:
        page = await viewer.ok("k8s_get_available_api_resources", limit=1)
        body = await nobody.fails("k8s_get_available_api_resources", limit=1, cursor=page["cursor"])
        assert "or to another caller" in body["message"]
        await viewer.ok("k8s_get_available_api_resources", limit=1, cursor=page["cursor"])
        # With a new token it is the same caller.
        async with acting.calling("viewer") as renewed:
            await renewed.ok("k8s_get_available_api_resources", limit=1, cursor=page["cursor"])


async def test_an_approval_is_good_for_its_caller_alone(acting: Serving) -> None:
    place = acting.place
    await make(place.api, f"/api/v1/namespaces/{place.edited}/configmaps", config_map("doomed", a="b"))
    what = {"resource_type": "configmaps", "resource_name": "doomed", "namespace": place.edited}
    async with (
        acting.calling("editor") as editor,
        acting.calling("nobody") as nobody,
        allowed(
            place, [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "delete"]}], "nobody"
        ),
    ):
        token = (await editor.fails("k8s_delete_resource", **what))["approval"]

        async def refusal() -> dict[str, Any]:
            return await nobody.fails("k8s_delete_resource", **what, approval=token)

        # The authorizer learns of a new binding within moments.
        body = await until(refusal, lambda body: body["code"] != "forbidden", 20)
        assert body["message"].startswith("the approval token was given to another caller")
        await editor.ok("k8s_delete_resource", **what, approval=token)


async def test_a_right_that_is_taken_away_is_gone_for_the_next_call(acting: Serving) -> None:
    place, what = acting.place, {"resource_type": "pods", "namespace": acting.place.home}
    bindings = f"{RBAC}/namespaces/{place.home}/rolebindings"
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
    subject = {"kind": "ServiceAccount", "name": "nobody", "namespace": place.home}
    await make(place.api, bindings, {"metadata": {"name": "brief"}, "roleRef": ref, "subjects": [subject]})
    async with acting.calling("nobody") as caller:

        async def works() -> bool:
            return not (await caller.client.call_tool("k8s_get_resources", what, raise_on_error=False)).is_error

        await until(works, seconds=20, what="the new right")
        await place.api.send("DELETE", f"{bindings}/brief")
        await until(works, lambda held: not held, 20, "the end of the right")


async def test_helm_acts_as_the_caller_too(acting: Serving) -> None:
    """The binary reads a kubeconfig of ours: what it may is the caller's, not the server's."""
    place = acting.place
    what = {"name": f"bare-{secrets.token_hex(2)}", "chart": "bare", "namespace": place.edited, "install": True}
    async with acting.calling("nobody") as nobody, acting.calling("editor") as editor:
        body = await nobody.fails("helm_upgrade", **what)
        assert place.user("nobody") in body["message"]
        await editor.ok("helm_upgrade", **what)


async def test_a_server_without_the_right_says_which_one_it_lacks(place: Place, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("open-sesame jane\n")
    config = await kubeconfig(place, "nobody", tmp_path)
    async with serving(place, config, {"act_as": "impersonate"}, auth_tokens_file=str(tokens)) as process:
        async with process.bearing({"Authorization": "Bearer open-sesame"}) as caller:
            body = await caller.fails("k8s_get_resources", resource_type="pods", namespace=place.seen)
    assert body["code"] == "forbidden", body
    assert place.user("nobody") in body["message"]
    assert "needs the verb impersonate on users, groups and serviceaccounts" in body["hint"]


async def test_a_server_may_be_held_to_some_users(place: Place, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("open-sesame jane\nshut-sesame root\n")
    config = await kubeconfig(place, "nobody", tmp_path)
    only = {"apiGroups": [""], "resources": ["users"], "resourceNames": ["jane"], "verbs": ["impersonate"]}
    async with (
        allowed(place, [only], "nobody"),
        serving(place, config, {"act_as": "impersonate"}, auth_tokens_file=str(tokens)) as process,
        process.bearing({"Authorization": "Bearer open-sesame"}) as jane,
        process.bearing({"Authorization": "Bearer shut-sesame"}) as root,
    ):
        what = {"resource_type": "pods", "namespace": place.seen}

        async def said() -> str:
            return str((await jane.fails("k8s_get_resources", **what))["message"])

        await until(said, lambda text: 'User "jane" cannot list' in text, 20, "the new right")
        assert "needs the verb impersonate" in (await root.fails("k8s_get_resources", **what))["hint"]


async def test_who_is_not_known_gets_nothing(place: Place) -> None:
    config = place.cluster.kubeconfig
    async with serving(place, config, {"act_as": "impersonate"}) as process, process.bearing({}) as caller:
        body = await caller.fails("k8s_get_resources", resource_type="pods", namespace=place.seen)
    assert body["code"] == "denied"
    assert "nothing says who this one is" in body["message"]


async def test_a_session_is_not_a_way_to_be_its_opener(place: Place, tmp_path: Path) -> None:
    config = await kubeconfig(place, "server", tmp_path)
    tokens = tmp_path / "tokens"
    tokens.write_text(f"token-of-viewer {'viewer'}\ntoken-of-nobody nobody\n")
    own = {"act_as": "impersonate"}
    runtime: dict[str, Any] = {"auth_tokens_file": str(tokens), "stateful": True}
    async with allowed(place, MAY_IMPERSONATE), serving(place, config, own, **runtime) as process:
        async with httpx2.AsyncClient(headers={"Accept": "application/json, text/event-stream"}) as http:

            async def post(who: str, body: dict[str, Any], **headers: str) -> httpx2.Response:
                message = {"jsonrpc": "2.0", **body}
                sent = {"Authorization": f"Bearer token-of-{who}", **headers}
                return await http.post(f"{process.url}/mcp", json=message, headers=sent)

            hello = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
            opened = await post("viewer", {"id": 1, "method": "initialize", "params": hello})
            session = {"Mcp-Session-Id": opened.headers["mcp-session-id"], "MCP-Protocol-Version": LEGACY}
            await post("viewer", {"method": "notifications/initialized"}, **session)
            arguments = {"resource_type": "pods", "namespace": place.seen}
            call = {"id": 2, "method": "tools/call", "params": {"name": "k8s_get_resources", "arguments": arguments}}
            assert 'User \\\\\\"viewer\\\\\\"' in (await post("viewer", call, **session)).text
            other = await post("nobody", call, **session)
    assert "viewer" not in other.text
    assert other.status_code >= 400 or "nobody" in other.text


async def test_over_stdio_a_person_acts_with_his_own_kubeconfig(place: Place) -> None:
    environment = {"KUBECONFIG": str(place.cluster.kubeconfig), "KMCP_ACT_AS": "impersonate", "KMCP_AUDIT": "false"}
    module = [KUBERNETES.package + ".server", "--transport", "stdio"]
    transport = StdioTransport(sys.executable, ["-m", *module], env=environment, keep_alive=False)
    async with Client(transport) as client:
        found = await ToolCaller(client).text(
            "k8s_get_resource_yaml", resource_type="configmaps", resource_name=NAME, namespace=place.seen
        )
    assert place.seen_word in found
