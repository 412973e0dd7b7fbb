"""Which proxy a request goes through: the cluster's `proxy-url`, else the environment, read as Go's programs read it.

Of the environment: HTTPS_PROXY for https, HTTP_PROXY for http, and NO_PROXY, the capitals before the small letters.
`localhost` and loopback addresses never go through a proxy that only the environment names.
"""

import ipaddress
import os
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

_PORTS = {"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}


def of_environment(server: SplitResult, environment: Mapping[str, str] = os.environ) -> str | None:
    """The URL of the proxy for requests to a server; None where they go there directly."""
    proxy = _first(environment, "HTTPS_PROXY" if server.scheme == "https" else "HTTP_PROXY")
    if not proxy or not _is_proxied(server, _first(environment, "NO_PROXY")):
        return None
    return proxy if _is_url(proxy) else f"http://{proxy}"


def _first(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name) or environment.get(name.lower()) or ""


def _is_url(text: str) -> bool:
    try:
        found = urlsplit(text)
    except ValueError:
        return False
    return bool(found.scheme and found.netloc)


def _is_proxied(server: SplitResult, exceptions: str) -> bool:
    host, port = (server.hostname or "").lower(), str(server.port or _PORTS[server.scheme])
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return False
    return not any(_covers(entry.strip().lower(), host, port, address) for entry in exceptions.split(","))


Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _address(text: str) -> Address | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    # As Go compares them: an IPv4 address written as IPv6 is the same address.
    return getattr(found, "ipv4_mapped", None) or found


def _covers(entry: str, host: str, port: str, address: Address | None) -> bool:
    """Whether an entry of NO_PROXY means this host: `*`, a network, an address or a domain, each with an own port."""
    if entry == "*":
        return True
    network = _network(entry)
    if network is not None:
        return address is not None and address in network
    name, wanted = _split_port(entry)
    if not name or wanted not in ("", port):
        return False
    # A domain is none of an address: `0.1` does not mean 10.0.0.1.
    own = _address(name)
    if own is not None or address is not None:
        return own == address
    domain = name.removeprefix("*") if name.startswith("*.") else name
    return host.endswith(domain) if domain.startswith(".") else host == domain or host.endswith(f".{domain}")


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """`10.0.0.0/8`; None for what is no network to Go, as one with a mask in place of the number of its bits."""
    try:
        return ipaddress.ip_network(entry, strict=False) if entry.rpartition("/")[2].isdecimal() else None
    except ValueError:
        return None


def _split_port(entry: str) -> tuple[str, str]:
    """Host and port as `net.SplitHostPort` takes them apart; what it refuses is a host as a whole."""
    name, colon, port = entry.rpartition(":")
    if name.startswith("[") and name.endswith("]"):
        name = name[1:-1]
    elif ":" in name:  # an IPv6 address without brackets
        return entry, ""
    return (name, port) if colon and not {"[", "]"} & {*name, *port} else (entry, "")
