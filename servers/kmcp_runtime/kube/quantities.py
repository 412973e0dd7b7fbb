"""Kubernetes quantities as numbers, read as `resource.Quantity` of apimachinery reads them.

Accepted: an optional sign, digits with at most one point (`1`, `1.5`, `.5`, `5.`), then one of
- nothing, or a decimal suffix: `n u m k M G T P E` (10⁻⁹ to 10¹⁸; `k` is lower case, `K` alone is not one);
- a binary suffix: `Ki Mi Gi Ti Pi Ei`;
- an exponent: `e` or `E` and a whole number, signed or not (`1e3`, `12E-2`).
Not accepted: blanks anywhere (`1 Gi`), an exponent together with a suffix, `inf`, `nan`, underscores.
"""

import re
from decimal import ROUND_UP, Context, Decimal
from typing import Final

_QUANTITY = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:[eE]([+-]?[0-9]{1,9})|([KMGTPE]i|[numkMGTPE]?))")
_FACTORS = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(1000),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("MGTPE", 2)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)},
}
# Nothing finer than a nano-unit and nothing larger than an int64: apimachinery rounds away from zero, and caps.
_FINEST = Decimal("1e-9")
_LARGEST: Final = Decimal(2**63 - 1)
# 28 digits, Decimal's default, would round long numbers before they are capped; exponents of nine digits must not grow.
_EXACT = Context(prec=60, Emax=10**9, Emin=-(10**9))


def parse(quantity: object) -> Decimal:
    """The value in the base unit (cores, bytes, pieces). Raises ValueError for what is not a quantity."""
    text = str(quantity)
    match = _QUANTITY.fullmatch(text)
    if not match:
        raise ValueError(f"{text[:80]!r} is not a quantity: write a number and a suffix, such as 250m or 1.5Gi")
    digits, exponent, suffix = match.groups()
    value = _EXACT.scaleb(_EXACT.create_decimal(digits), int(exponent or 0))
    value = _EXACT.multiply(value, _FACTORS[suffix or ""])
    if value.copy_abs() >= _LARGEST:  # abs() would round in the default context.
        return _LARGEST.copy_sign(value)
    return value.quantize(_FINEST, ROUND_UP, _EXACT).normalize(_EXACT)


def number(quantity: object) -> Decimal:
    """The value in the base unit; 0 for what is not a quantity, so that a sum of many goes on."""
    try:
        return parse(quantity)
    except ValueError:
        return Decimal(0)


def millicores(quantity: object) -> int:
    """CPU in thousandths of a core, rounded to the nearest."""
    return round(number(quantity) * 1000)


def whole_bytes(quantity: object) -> int:
    """Memory in bytes, rounded to the nearest."""
    return round(number(quantity))


def readable_bytes(amount: int) -> str:
    """Mebibytes or gibibytes, as people read memory."""
    gibibytes = amount / 2**30
    return f"{gibibytes:.1f}Gi" if gibibytes >= 1 else f"{amount / 2**20:.0f}Mi"
