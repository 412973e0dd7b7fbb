"""NO_PROXY, read as Go's programs read it: the values are those of golang.org/x/net/http/httpproxy."""

from urllib.parse import urlsplit

import pytest

from kmcp_runtime.kube import proxies

DIRECT = {
    "10.0.0.0/8": ("10.1.2.3", "[::ffff:10.1.2.3]"),
    "10.0.0.1/8": ("10.1.2.3",),
    "2001:db8::/32": ("[2001:db8::1]",),
    "10.0.0.1": ("10.0.0.1", "10.0.0.1:6443"),
    "10.0.0.1:": ("10.0.0.1:6443",),
    "10.0.0.1:6443": ("10.0.0.1:6443",),
    "::1, 2001:db8::1": ("[2001:db8::1]:6443",),
    "[2001:db8::1]:6443": ("[2001:db8::1]:6443",),
    "example.com": ("example.com", "api.example.com:6443", "API.Example.com"),
    ".example.com": ("api.example.com",),
    "*.example.com": ("api.example.com",),
    "example.com:443": ("api.example.com",),
    " .svc , .cluster.local ": ("kubernetes.default.svc", "a.b.cluster.local"),
    "*": ("example.com", "10.0.0.1"),
    "": ("localhost", "127.0.0.1:6443", "[::1]"),
}
PROXIED = {
    "10.0.0.0/255.0.0.0": ("10.1.2.3",),
    "10.0.0.1:6443": ("10.0.0.1",),
    "0.1, .0.1, 10.": ("10.0.0.1",),
    "10.0.0.*": ("10.0.0.1",),
    "[2001:db8::1]": ("[2001:db8::1]:6443",),
    "*example.com": ("api.example.com", "example.com"),
    ".example.com": ("example.com", "notexample.com"),
    "*.example.com": ("example.com",),
    "example.com": ("notexample.com", "example.com."),
    "example.com:443": ("example.com:6443",),
    "*:6443": ("example.com:6443", "example.com.:6443"),
    "https://example.com": ("example.com",),
    "com.": ("example.com",),
    "": ("foo.localhost", "10.0.0.1"),
}


@pytest.mark.parametrize(("table", "proxy"), [(DIRECT, None), (PROXIED, "http://proxy:3128")])
def test_exceptions_are_those_of_go(table: dict[str, tuple[str, ...]], proxy: str | None) -> None:
    for exceptions, places in table.items():
        environment = {"HTTPS_PROXY": "proxy:3128", "NO_PROXY": exceptions}
        for place in places:
            found = proxies.of_environment(urlsplit(f"https://{place}"), environment)
            assert found == proxy, (exceptions, place)
