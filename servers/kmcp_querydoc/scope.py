"""Which products and versions a call is about, by the names that callers use."""

import re
from collections.abc import Sequence

from kmcp_querydoc.index.reading import Index, Product
from kmcp_runtime import ToolFailure, nearest, not_found, quoted_list

_USUAL = {
    "k8s": "kubernetes",
    "otel-collector": "otel",
    "opentelemetry": "otel",
    "argo": "argo-rollouts",
    "rollouts": "argo-rollouts",
    "prom": "prometheus",
    "gatewayapi": "gateway-api",
    "ztunnel": "ambient",
}
"""Other names of products, beside those that an index brings."""
_MOST_NAMED = 20


def scope(index: Index, product: str | None, version: str | None, *, code: bool = False) -> list[Product]:
    """The products to search: the named one or all, in the named version or the newest of each."""
    there = [each for each in index.products if each.code is code]
    named = there if product is None else _named(there, product)
    if not named and product is not None:
        raise _unknown_product(there, product)
    found = _newest(named) if version is None else [each for each in named if is_version(each.version, version)]
    if not found and version is not None:
        raise _unknown_version(named, product, version)
    return found


def _named(there: Sequence[Product], name: str) -> list[Product]:
    # Older servers named a product by its database file, such as `istio.db`.
    wanted = name.strip().lower().removesuffix(".db").replace("_", "-").replace(" ", "-")
    for candidate in (wanted, _USUAL.get(wanted, wanted)):
        found = [each for each in there if each.name == candidate]
        found = found or [each for each in there if candidate in each.aliases]
        if found:
            return found
    return []


def _newest(products: Sequence[Product]) -> list[Product]:
    newest: dict[str, Product] = {}
    for each in sorted(products, key=lambda one: _order(one.version)):
        newest[each.name] = each
    return sorted(newest.values(), key=lambda one: one.number)


def _order(version: str) -> tuple[tuple[int, int, str], ...]:
    """Versions by their numbers; a name (`latest`, a branch) is newer than any number."""
    parts = re.findall(r"\d+|[a-z]+", version.lower().removeprefix("v"))
    if not parts or not parts[0].isdigit():
        return ((2, 0, version),)
    # What follows a release's numbers comes before the release: 1.10.0-rc.1, then 1.10.0, then 1.10.0.1.
    return (*((1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts), (1, -1, ""))


def is_version(there: str, wanted: str) -> bool:
    """`3.15` and `v3.15.0` name 3.15.0."""
    there, wanted = there.lower().removeprefix("v"), wanted.strip().lower().removeprefix("v")
    return there == wanted or there.startswith(f"{wanted}.")


def named(products: Sequence[Product]) -> str:
    """The names of products as a hint lists them."""
    names = sorted({product.name for product in products})
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return f"{quoted_list(names[:_MOST_NAMED])}{more}" if names else "none"


def _unknown_product(there: Sequence[Product], name: str) -> ToolFailure:
    known = {alias: each.name for each in there for alias in (each.name, *each.aliases)}
    near = list(dict.fromkeys(known[word] for word in nearest(name, known)))
    suggestion = f"did you mean {quoted_list(near)}? " if near else ""
    return not_found(
        f"no product {name!r} in this index; it has {named(there)}",
        f"{suggestion}list_products() shows versions; leave product_name out to search all",
    )


def _unknown_version(products: Sequence[Product], product: str | None, version: str) -> ToolFailure:
    versions = ", ".join(f"{each.name} {each.version}" for each in products[:_MOST_NAMED]) or "none"
    about = f"of {product} " if product else ""
    return not_found(
        f"no version {version!r} {about}in this index", f"there are: {versions}; omit version for the newest"
    )
