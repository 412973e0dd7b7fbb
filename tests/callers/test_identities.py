"""As whom a call is made, by what is known of its caller; and the clients that are kept for each. No cluster needed."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmcp_runtime import ToolFailure
from kmcp_runtime.call import Call
from kmcp_runtime.identities import Caller, Identity
from kmcp_runtime.kube import acting, clients, config, credentials
from kmcp_runtime.kube.api import KubeApi, Limits
from kmcp_runtime.kube.clients import Clients
from kmcp_runtime.kube.settings import ClusterSettings

CONTEXT = config.ContextInfo("x", "x", "https://10.0.0.1:6443", "default", "in_cluster", "service account")
CONTEXTS = config.Contexts("", "x", (CONTEXT,))
POD = "system:serviceaccount:team-a:agent"
TEXTS = st.text(max_size=40)


def settings(**given: Any) -> ClusterSettings:
    return ClusterSettings(**{"act_as": "impersonate", **given})


def bearing(*values: str) -> Caller:
    return Caller("anonymous", "none", header=lambda name: values)


def refused(caller: Caller, chosen: ClusterSettings) -> str:
    with pytest.raises(ToolFailure) as failure:
        acting.identity_of(caller, chosen)
    assert failure.value.code == "denied"
    return failure.value.message


def test_by_default_every_call_is_the_servers_own() -> None:
    assert acting.identity_of(Caller("jane", "issuer"), ClusterSettings()) is None
    # Whoever has started the process over stdio has its account already.
    assert acting.identity_of(Caller("local", "local"), settings()) is None
    assert acting.identity_of(Caller("local", "local"), settings(act_as="passthrough")) is None


def test_a_reviewed_caller_is_impersonated_with_all_that_the_review_says_of_him() -> None:
    extra = {"authentication.kubernetes.io/pod-name": ["agent-1"]}
    token = {"authentication.kubernetes.io/credential-id": ["JTI=1"]}
    caller = Caller(POD, "cluster", ("system:serviceaccounts", "system:authenticated"), "u-1", {**extra, **token})
    found = acting.identity_of(caller, settings())
    assert found is not None
    assert (found.user, found.uid, found.groups) == (POD, "u-1", caller.groups)
    assert found.extra == (("authentication.kubernetes.io/pod-name", ("agent-1",)),)
    # A renewed token is the same identity; another group is another one.
    renewed = Caller(POD, "cluster", caller.groups, "u-1", {**extra, **{key: ["JTI=2"] for key in token}})
    assert acting.identity_of(renewed, settings()) == found
    other = acting.identity_of(Caller(POD, "cluster", ("system:authenticated",), "u-1", extra), settings())
    assert other is not None
    assert other.key != found.key


def test_what_belongs_to_the_cluster_only_the_cluster_says() -> None:
    for proof in ("issuer", "file"):
        assert "names that begin with system:" in refused(Caller(POD, proof), settings())
        found = acting.identity_of(Caller("jane", proof, ("system:masters", "system:nodes", "dev")), settings())
        assert found == Identity("jane", groups=("dev",))
        named = acting.identity_of(Caller("jane", proof, ("dev",)), settings(act_as_prefix="idp:"))
        assert named == Identity("idp:jane", groups=("idp:dev",))
    assert "system:masters" in refused(Caller("root", "cluster", ("system:masters",)), settings())


def test_an_account_of_one_cluster_is_nobody_in_another() -> None:
    found = acting.identity_of(Caller(POD, "cluster", cluster="https://10.0.0.9"), settings())
    assert found is not None
    with pytest.raises(ToolFailure, match="is an account of https://"):
        acting.check_cluster(found, CONTEXT)
    person = acting.identity_of(Caller("jane", "cluster", ("dev",), cluster="https://10.0.0.9"), settings())
    assert person is not None
    acting.check_cluster(person, CONTEXT)


def test_who_is_not_known_is_refused() -> None:
    assert "nothing says who this one is" in refused(bearing(), settings())
    passing = settings(act_as="passthrough")
    for values in ((), ("",), ("Bearer ",), ("Basic amFuZTpw",)):
        assert "this request has none" in refused(bearing(*values), passing)
    assert "more than one Authorization header" in refused(bearing("Bearer a", "Bearer b"), passing)
    for token in ("a\r\nImpersonate-User: root", "ä", "forged token", "x" * 20_000):
        text = refused(bearing(f"Bearer {token}"), passing)
        assert "not a bearer token" in text
        assert token not in text


def test_a_token_of_its_own_header_may_stand_alone() -> None:
    passing = settings(act_as="passthrough", act_as_header="x-kubernetes-token")
    assert passing.act_as_header == "X-Kubernetes-Token"
    for value in ("abc.def", "Bearer abc.def", "bearer abc.def"):
        found = acting.identity_of(bearing(value), passing)
        assert found is not None
        assert found.bearer == "abc.def"
        assert "abc.def" not in repr(found)
        assert "abc.def" not in found.key


ODD = ("", " jane", "jane ", "jane\n", "a\r\nImpersonate-Group: system:masters", "a\0b", "\ud800", "\u2003jane")


@pytest.mark.parametrize("name", ODD)
def test_a_name_that_no_header_carries_as_it_is_is_refused(name: str) -> None:
    refused(Caller(name, "issuer"), settings())
    refused(Caller("jane", "issuer", ("dev", name)), settings())
    refused(Caller("jane", "cluster", (), "", {"scopes": [name]}), settings())


@given(TEXTS, st.lists(TEXTS, max_size=3), st.dictionaries(TEXTS, st.lists(TEXTS, max_size=2), max_size=2))
def test_whoever_is_not_refused_arrives_as_he_is(name: str, groups: list[str], extra: dict[str, list[str]]) -> None:
    caller = Caller(name, "cluster", tuple(groups), "", extra)
    try:
        found = acting.identity_of(caller, settings())
    except ToolFailure:
        return
    headers = credentials.Credentials("https://x", token="own", acting_as=found).headers()
    assert headers[:2] == [("Authorization", "Bearer own"), ("Impersonate-User", name)]
    assert [value for key, value in headers if key == "Impersonate-Group"] == groups
    for key, value in headers:
        # What aiohttp and Go's net/http would change or refuse: a blank at an end, a line break, half a character.
        assert value.encode().decode().strip() == value
        assert not set("\r\n\0") & set(key + value)
        assert key.isascii()
        assert not set(' :()"') & set(key)


def using(kept: Clients, user: str) -> tuple[KubeApi, Call]:
    call = Call("1", "t", "c", {}, 5.0)
    identity = Identity(user)
    made = KubeApi(CONTEXTS, CONTEXT, Limits(), acting.source(identity), identity)
    return kept.use(("x", identity.key), lambda: made, call), call


async def test_of_a_thousand_identities_as_many_clients_are_kept_as_are_allowed() -> None:
    kept = Clients(16)
    first, call = using(kept, "first")
    assert using(kept, "first")[0] is first
    for number in range(1_000):
        using(kept, f"user-{number}")[1].ended()
        # `first` is in use, and so outside of what may go.
        assert len(kept) <= 18
    assert using(kept, "user-999")[0].identity == Identity("user-999")
    assert using(kept, "first")[0] is first
    call.ended()
    await kept.close()
    assert len(kept) == 0


async def test_clients_that_nobody_uses_go_and_the_servers_own_stays() -> None:
    now = [0.0]
    kept = Clients(16, lambda: now[0])
    own_call = Call("1", "t", "c", {}, 5.0)
    own = kept.use(("x", ""), lambda: KubeApi(CONTEXTS, CONTEXT, Limits()), own_call)
    own_call.ended()
    idle, call = using(kept, "idle")
    call.ended()
    now[0] = clients.IDLE_SECONDS + 1
    using(kept, "other")[1].ended()
    assert len(kept) == 2
    assert kept.use(("x", ""), lambda: idle, Call("2", "t", "c", {}, 5.0)) is own
    await kept.close()


async def test_a_client_is_idle_from_the_end_of_its_last_call() -> None:
    now = [0.0]
    kept = Clients(16, lambda: now[0])
    api, call = using(kept, "jane")
    now[0] = clients.IDLE_SECONDS + 1
    call.ended()
    assert using(kept, "jane")[0] is api
    now[0] += clients.IDLE_SECONDS + 1
    using(kept, "other")[1].ended()
    assert len(kept) == 2, "one that is in use stays"
    await kept.close()


async def test_a_client_of_a_call_under_way_is_closed_when_it_ends() -> None:
    kept = Clients(16)
    api, call = using(kept, "jane")
    kept.retire_all()
    assert len(kept) == 1
    assert using(kept, "jane")[0] is not api
    call.ended()
    assert len(kept) == 1
    await asyncio.wait_for(kept.close(), 5)
