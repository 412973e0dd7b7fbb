"""The caller's own token towards the API server: nobody else's is ever used, and it stays out of every text."""

import secrets
from pathlib import Path

import pytest

from tests.callers.conftest import Place, serving
from tests.mcp import text_of
from tests.waiting import until

pytestmark = pytest.mark.cluster


async def test_each_caller_is_who_his_token_is_for(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    tokens = {who: await place.token(who) for who in ("viewer", "nobody")}
    said = ""
    # The server's own account is the administrator: nothing of it may be used.
    own = {"act_as": "passthrough"}
    async with serving(place, place.cluster.kubeconfig, own, audit=True, log_level="debug") as process:
        for path in ("/mcp", "/kubernetes/mcp"):
            bearer = {who: {"Authorization": f"Bearer {token}"} for who, token in tokens.items()}
            async with (
                process.bearing(bearer["viewer"], path) as viewer,
                process.bearing(bearer["nobody"], path) as other,
            ):
                what = {"resource_type": "pods", "namespace": place.seen}
                assert place.seen_word in await viewer.text("k8s_get_resources", **what)
                body = await other.fails("k8s_get_resources", **what)
                assert f'User "{place.user("nobody")}" cannot list' in body["message"]
                cursor = (await viewer.ok("k8s_get_available_api_resources", limit=1))["cursor"]
                refused = await other.fails("k8s_get_available_api_resources", limit=1, cursor=cursor)
                assert "or to another caller" in refused["message"]
                said += str(body) + str(refused) + cursor
        async with process.bearing({}) as nameless:
            assert (await nameless.fails("k8s_get_resources", **what))["code"] == "denied"
        async with process.bearing({"Authorization": f"Bearer {tokens['viewer']}x"}) as forger:
            body = await forger.fails("k8s_get_available_api_resources")
            assert body["code"] == "forbidden"
            assert "the credentials of the caller" in body["hint"]
            said += str(body)
    captured = capfd.readouterr()
    for token in tokens.values():
        assert token.rpartition(".")[2] not in said + captured.out + captured.err


async def test_helm_has_the_callers_token_and_leaves_no_file(place: Place, tmp_path: Path) -> None:
    charts = {"act_as": "passthrough", "helm_home": str(tmp_path)}
    token = await place.token("editor")
    what = {"name": f"bare-{secrets.token_hex(2)}", "chart": "bare", "namespace": place.edited, "install": True}
    async with serving(place, place.cluster.kubeconfig, charts) as process:
        async with process.bearing({"Authorization": f"Bearer {await place.token('nobody')}"}) as nobody:
            assert place.user("nobody") in (await nobody.fails("helm_upgrade", **what))["message"]
        async with process.bearing({"Authorization": f"Bearer {token}"}) as editor:
            await editor.ok("helm_upgrade", **what)
        left = [path for path in tmp_path.rglob("*") if path.is_file() and token in path.read_text(errors="replace")]
    assert left == []


async def test_a_token_beside_the_one_of_the_server(place: Place, tmp_path: Path) -> None:
    """Who may call is judged by one header, as whom by the other."""
    tokens = tmp_path / "tokens"
    tokens.write_text("open-sesame jane\n")
    own = {"act_as": "passthrough", "act_as_header": "x-kubernetes-token"}
    gate = {"Authorization": "Bearer open-sesame"}
    async with serving(place, place.cluster.kubeconfig, own, auth_tokens_file=str(tokens)) as process:
        async with process.bearing({**gate, "X-Kubernetes-Token": await place.token("viewer")}) as caller:
            text = await caller.text("k8s_get_resources", resource_type="pods", namespace=place.seen)
            assert place.seen_word in text
        async with process.bearing(gate) as caller:
            body = await caller.fails("k8s_get_resources", resource_type="pods", namespace=place.seen)
            assert "X-Kubernetes-Token" in body["hint"]


async def test_a_token_that_ends_meanwhile_is_refused_and_a_new_one_works(place: Place) -> None:
    accounts, name = f"/api/v1/namespaces/{place.home}/serviceaccounts", f"brief-{secrets.token_hex(2)}"
    await place.api.send("POST", accounts, (), {"metadata": {"name": name}})
    old = await place.token(name)
    async with serving(place, place.cluster.kubeconfig, {"act_as": "passthrough"}) as process:
        async with process.bearing({"Authorization": f"Bearer {old}"}) as caller:

            async def answer() -> str:
                arguments = {"verb": "get", "resource_type": "pods", "namespace": place.seen}
                result = await caller.client.call_tool("k8s_can_i", arguments, raise_on_error=False)
                return text_of(result.content)

            assert "forbidden" not in await answer()
            await place.api.send("DELETE", f"{accounts}/{name}")
            # The API server itself remembers for some seconds that a token was good.
            said = await until(answer, lambda said: "forbidden" in said, 40, "the end of the token")
            assert "renew them (the header with the caller's token)" in said
            await place.api.send("POST", accounts, (), {"metadata": {"name": name}})
        async with process.bearing({"Authorization": f"Bearer {await place.token(name)}"}) as renewed:
            await renewed.ok("k8s_can_i", verb="get", resource_type="pods", namespace=place.seen)
