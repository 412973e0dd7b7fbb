"""What a connectivity check asks for, before any request: names, ports, and paths that must stay within the proxy."""

import pytest

from kmcp_kubernetes.services import targets
from kmcp_kubernetes.services.targets import Target
from kmcp_runtime import ToolFailure

PORT = {"port": 80, "name": "web"}


@pytest.mark.parametrize(
    ("name", "port", "expected"),
    [
        ("web", None, Target("web", "here", None)),
        ("web:http", None, Target("web", "here", "http")),
        ("web.there", "80", Target("web", "there", "80")),
        ("web.there.svc.cluster.local:80", "80", Target("web", "there", "80")),
    ],
)
def test_targets(name: str, port: str | None, expected: Target) -> None:
    assert targets.target(name, "here", port) == expected


def test_a_path_is_quoted_and_its_query_kept() -> None:
    where, query = targets.proxied("ns", "web", PORT, "/a b/ü?x=1&y=")
    assert where == "/api/v1/namespaces/ns/services/http:web:web/proxy/a%20b/%C3%BC"
    assert query == [("x", "1"), ("y", "")]


@pytest.mark.parametrize("path", ["/../x", "/a/../../secrets", "/%2e%2e/x", "/%252e%252e/x", "//evil/x", ".."])
def test_a_path_that_leaves_the_proxy_is_refused(path: str) -> None:
    with pytest.raises(ToolFailure) as raised:
        targets.proxied("ns", "web", PORT, path)
    assert raised.value.code == "bad_argument"


@pytest.mark.parametrize(
    ("port", "scheme"),
    [
        ({"port": 80}, "http"),
        ({"port": 443}, "https"),
        ({"port": 9, "name": "https-web"}, "https"),
        ({"port": 9, "appProtocol": "HTTPS"}, "https"),
    ],
)
def test_schemes(port: dict[str, object], scheme: str) -> None:
    assert targets.scheme(port) == scheme
