"""Addresses as they stand in URLs. Light: commands that serve nothing write them, too."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether an address, or the name `localhost`, is of this machine alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def authority(host: str, port: int) -> str:
    """As in a URL: an address of IPv6 stands in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
