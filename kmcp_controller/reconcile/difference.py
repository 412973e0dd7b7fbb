"""Whether an object already is as rendered, whatever others have added to it. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from kmcp_runtime.kube import quantities

_KEYS = ("name", "mountPath", "uid", "containerPort", "key")  # of the API's lists of objects, most specific first


# Where what others add changes what the object does: an extra label in a selector selects nothing. The API has each of
# these as one value (`x-kubernetes-map-type: atomic`, lists without keys), so an apply takes the addition away.
_WHOLE = {
    "Service": (".spec.selector",),
    "NetworkPolicy": (".spec.podSelector", ".spec.policyTypes", ".spec.ingress", ".spec.egress"),
    "Role": (".rules",),
    "RoleBinding": (".subjects",),
}


def drift(rendered: Mapping[str, Any], live: Mapping[str, Any]) -> Iterator[str]:
    """Paths at which a live object does not do what is rendered: fields that differ, and additions that matter."""
    yield from differences(rendered, live)
    for path in _WHOLE.get(rendered["kind"], ()):
        want, have = _at(rendered, path), _at(live, path)
        yield from (f"{found} (added)" for found in _additions(want, have, path))


def _at(found: Any, path: str) -> Any:
    for key in path.split(".")[1:]:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _additions(want: Any, have: Any, path: str) -> Iterator[str]:
    if isinstance(have, list):
        if len(have) > len(want or ()):
            yield path.lstrip(".")
    elif isinstance(have, Mapping):
        wanted = want if isinstance(want, Mapping) else {}
        for key, value in have.items():
            if key not in wanted and value:
                yield f"{path}.{key}".lstrip(".")
            elif key in wanted:
                yield from _additions(wanted[key], value, f"{path}.{key}")


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
