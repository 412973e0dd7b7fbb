"""Where charts may come from: nothing that is not named, nothing inside unless named in full."""

from collections.abc import Sequence

import pytest

from kmcp_runtime import ToolFailure
from kmcp_runtime.helm.origins import Origins, Reach

ENTRIES = (
    "charts.example.com",
    "ports.example.com:8443",
    "https://charts.internal",
    "http://127.0.0.1:8879",
    "oci://registry.internal:5000",
    "http://plain.internal:5000",
)
PUBLIC, PRIVATE = "93.184.216.34", "10.1.2.3"


def origins(address: str) -> Origins:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return [address]

    return Origins(ENTRIES, resolve)


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("https://charts.example.com/stable", False),
        ("https://Charts.Example.com:443/stable", False),
        ("oci://charts.example.com/a/b", False),
        ("https://ports.example.com:8443/x", False),
    ],
)
async def test_an_allowed_host_at_a_public_address_is_admitted(url: str, plain: bool) -> None:
    assert await origins(PUBLIC).admit(url, "url") == Reach(plain, (PUBLIC,))
    with pytest.raises(ToolFailure) as caught:
        await origins(PRIVATE).admit(url, "url")
    assert caught.value.code == "denied"
    assert PRIVATE in caught.value.message
    assert "with its scheme" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("https://charts.internal/stable", False),
        ("oci://charts.internal/a", False),
        ("http://127.0.0.1:8879/", True),
        ("oci://registry.internal:5000/a", False),
        ("oci://plain.internal:5000/a", True),
    ],
)
async def test_an_origin_that_is_named_in_full_is_admitted_wherever_it_is(url: str, plain: bool) -> None:
    assert await origins(PRIVATE).admit(url, "url") == Reach(plain, None)


@pytest.mark.parametrize(
    ("url", "code", "why"),
    [
        ("https://other.example.com/", "denied", "not among"),
        ("https://charts.example.com.evil.test/", "denied", "not among"),
        ("https://ports.example.com/", "denied", "not among"),
        ("https://charts.internal:8443/", "denied", "not among"),
        ("http://charts.example.com/", "denied", "only https"),
        ("http://127.0.0.1:8880/", "denied", "only https"),
        ("http://charts.internal/", "denied", "only https"),
        ("file:///etc/passwd", "denied", "only https"),
        ("git+ssh://charts.example.com/x", "denied", "only https"),
        ("https://user:s3cr3t@charts.example.com/", "denied", "credentials"),
        ("https://charts.example.com@evil.test/", "denied", "credentials"),
        ("https://charts.example.com:port/", "bad_argument", "url"),
        ("https:///x", "bad_argument", "no host"),
        ("https://charts.example.com/a b", "bad_argument", "spaces"),
        ("https://charts.example.com/a\n--flag", "bad_argument", "spaces"),
    ],
)
async def test_everything_else_is_refused_before_a_name_is_resolved(url: str, code: str, why: str) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        raise AssertionError(f"{host} was resolved")

    with pytest.raises(ToolFailure) as caught:
        await Origins(ENTRIES, resolve).admit(url, "url")
    assert caught.value.code == code
    assert why in caught.value.message
    assert "s3cr3t" not in str(caught.value.body())


async def test_a_name_that_does_not_resolve_is_unavailable() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        raise OSError("Name or service not known")

    with pytest.raises(ToolFailure) as caught:
        await Origins(ENTRIES, resolve).admit("https://charts.example.com/", "url")
    assert caught.value.code == "unavailable"
