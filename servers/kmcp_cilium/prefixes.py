"""Addresses and CIDR ranges as arguments."""

from ipaddress import ip_address, ip_network


def prefix(text: str) -> str:
    """A range; an address becomes the range of that address alone (/32 or /128)."""
    try:
        # Strict: bits beyond the prefix are more often a mistake than meant.
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
    """Warnings for addresses that were read as ranges; None when there are none."""
    pairs = [f"{one} was read as {other}" for one, other in zip(given, taken, strict=True) if one != other]
    return pairs or None
