"""Kubernetes quantities as numbers: `250m`, `1Gi`, `100M`, `1e3`, `12345n`."""

import re
from decimal import Decimal, InvalidOperation

_QUANTITY = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?\d+)?)([numkKMGTPE]?i?)")
_FACTORS = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(1000),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("MGTPE", 2)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)},
}


def number(quantity: object) -> Decimal:
    """The value in its base unit; 0 for what is no quantity."""
    match = _QUANTITY.fullmatch(str(quantity))
    if not match or match[2] not in _FACTORS:
        return Decimal(0)
    try:
        return Decimal(match[1]) * _FACTORS[match[2]]
    except InvalidOperation:
        return Decimal(0)


def millicores(quantity: object) -> int:
    return round(number(quantity) * 1000)


def whole_bytes(quantity: object) -> int:
    return round(number(quantity))


def readable_bytes(amount: int) -> str:
    """Mebibytes or gibibytes, as people read memory."""
    gibibytes = amount / 2**30
    return f"{gibibytes:.1f}Gi" if gibibytes >= 1 else f"{amount / 2**20:.0f}Mi"
