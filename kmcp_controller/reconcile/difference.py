"""Whether an object already is as rendered, whatever others have added to it. Pure."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from kmcp_runtime.kube import quantities

_KEYS = ("name", "mountPath", "uid", "containerPort", "key")  # of the API's lists of objects, most specific first


def differences(rendered: Any, live: Any, path: str = "") -> Iterator[str]:
    """Paths of what is rendered and not so in the live object."""
    if isinstance(rendered, dict):
        for key, value in rendered.items():
            yield from differences(value, live.get(key) if isinstance(live, dict) else None, f"{path}.{key}")
    elif isinstance(rendered, list | tuple):
        yield from _of_lists(rendered, live or (), path)
    elif not _same(rendered, live):
        yield path.lstrip(".")


def _of_lists(rendered: Sequence[Any], live: Sequence[Any], path: str) -> Iterator[str]:
    key = _key(rendered)
    if key is None:
        if len(rendered) != len(live):
            yield path.lstrip(".")
            return
        pairs = [(want, have, str(index)) for index, (want, have) in enumerate(zip(rendered, live, strict=True))]
    else:
        known = {each.get(key): each for each in live if isinstance(each, dict)}
        pairs = [(want, known.get(want[key]), str(want[key])) for want in rendered]
    for want, have, name in pairs:
        yield from differences(want, have, f"{path}[{name}]")


def _key(items: Sequence[Any]) -> str | None:
    if not items or not all(isinstance(each, dict) for each in items):
        return None
    return next((key for key in _KEYS if all(key in each for each in items)), None)


def _same(rendered: Any, live: Any) -> bool:
    # Empty lists and maps are dropped when they are stored (omitempty).
    if rendered == live or (not rendered and live is None):
        return True
    if isinstance(rendered, bool) or isinstance(live, bool) or live is None:
        return False
    # The API server writes quantities in its own form: 1000m comes back as 1.
    return str(rendered) == str(live) or (_quantity(rendered) is not None and _quantity(rendered) == _quantity(live))


def _quantity(value: Any) -> Decimal | None:
    try:
        return quantities.parse(value)
    except ValueError:
        return None
