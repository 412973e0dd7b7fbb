"""Quantities: what Kubernetes accepts, what it refuses, and the values that it gives them."""

from decimal import Decimal

import pytest

from kmcp_runtime.kube.quantities import millicores, parse, readable_bytes, whole_bytes


# Expected values are those of apimachinery's `resource.ParseQuantity`.
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", "0"),
        ("1", "1"),
        ("-1", "-1"),
        ("+1.5", "1.5"),
        (".5", "0.5"),
        ("5.", "5"),
        ("100m", "0.1"),
        ("250u", "0.00025"),
        ("3n", "0.000000003"),
        ("1k", "1000"),
        ("1M", "1000000"),
        ("2G", "2000000000"),
        ("1T", "1e12"),
        ("1P", "1e15"),
        ("1E", "1e18"),
        ("1Ki", "1024"),
        ("1.5Gi", "1610612736"),
        ("1Ti", str(2**40)),
        ("1Pi", str(2**50)),
        ("1Ei", str(2**60)),
        ("1e3", "1000"),
        ("12E-2", "0.12"),
        ("1E+2", "100"),
        ("0.0000000001", "1e-9"),
        ("-1.0000000001", "-1.000000001"),
        ("9Ei", str(2**63 - 1)),
        ("-100E", str(-(2**63 - 1))),
        ("1e999999999", str(2**63 - 1)),
        ("1e-999999999", "1e-9"),
        ("0e999999999", "0"),
        ("12345678901234567890123456789012345678901234567890m", str(2**63 - 1)),
    ],
)
def test_values(text: str, value: str) -> None:
    assert parse(text) == Decimal(value)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "1 Gi", " 1", "1Gi ", "1\n", "Gi", ".", "-", "1.2.3", "--1", "1_000", "\u0661"),
        *("1K", "1ki", "1mi", "1gi", "1B", "1Gib", "1GB", "1e3Ki", "1e3m", "1e", "1e1.5", "inf", "nan", "0x10"),
    ],
)
def test_what_is_not_a_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        parse(text)
    assert (millicores(text), whole_bytes(text)) == (0, 0)


@pytest.mark.parametrize(
    ("quantity", "cpu", "memory"),
    [
        ("250m", 250, 0),
        ("2", 2000, 2),
        ("1234567n", 1, 0),
        ("1Gi", 2**30 * 1000, 2**30),
        ("1e3", 10**6, 1000),
        ("128974848", 128974848000, 128974848),
        ("1.5Ki", 1536000, 1536),
        ("5M", 5 * 10**9, 5 * 10**6),
        ("odd", 0, 0),
    ],
)
def test_quantities(quantity: str, cpu: int, memory: int) -> None:
    assert (millicores(quantity), whole_bytes(quantity)) == (cpu, memory)


def test_readable_bytes() -> None:
    assert [readable_bytes(amount) for amount in (0, 300 << 20, 3 << 29)] == ["0Mi", "300Mi", "1.5Gi"]
