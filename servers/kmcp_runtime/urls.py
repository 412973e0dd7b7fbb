"""Addresses as they stand in URLs. Light: commands that serve nothing write them, too."""


def authority(host: str, port: int) -> str:
    """As in a URL: an address of IPv6 stands in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
