"""Addresses and ranges as arguments."""

from ipaddress import ip_address, ip_network


def prefix(text: str) -> str:
    """A range; a bare address becomes the range of it alone (/32 or /128)."""
    try:
        return str(ip_network(text.strip(), strict=True))
    except ValueError as error:
        raise ValueError(str(error)) from None


def address(text: str) -> str:
    """One address."""
    try:
        return str(ip_address(text.strip()))
    except ValueError as error:
        raise ValueError(str(error)) from None


def completed(given: list[str], taken: list[str]) -> list[str] | None:
    """What to tell when bare addresses were taken as ranges."""
    pairs = [f"{one} was taken as {other}" for one, other in zip(given, taken, strict=True) if one != other]
    return pairs or None
