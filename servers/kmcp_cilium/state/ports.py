"""Ports as agents write them, in one form: `80/TCP`, `80-90/TCP`, `http/TCP`, `8/ICMP`, `any/ANY`."""

from collections.abc import Mapping
from typing import Any

_TYPED = ("ICMP", "ICMPV6")
"""Protocols that have types instead of ports: 0 is one of them there, not "any"."""
_UNSET = (None, "", 0, "0")


def port_text(port: Mapping[str, Any]) -> str:
    """A port of a rule (`port`, `endPort`) or of an endpoint's filter (which has `port-name`, too)."""
    protocol = str(port.get("protocol") or "ANY")
    number = port.get("port")
    if protocol.upper() in _TYPED:
        return f"{'0' if number in _UNSET else number}/{protocol}"
    # A named port has the number 0 until an endpoint says which one that is.
    name = port.get("port-name") or ("any" if number in _UNSET else number)
    end = port.get("endPort")
    return f"{name}{'' if end in _UNSET else f'-{end}'}/{protocol}"


def icmp_texts(rules: Any) -> list[str]:
    """The types of `icmps`, in the form of ports."""
    fields = [field for rule in rules or () for field in rule.get("fields") or ()]
    return [f"{field.get('type', 0)}/{'ICMPV6' if field.get('family') == 'IPv6' else 'ICMP'}" for field in fields]
