"""Pods that come nearest to a Service's selector that matches none, and what of their labels differs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Any

from kmcp_kubernetes.client import Kube
from kmcp_runtime import ToolFailure, quoted_list
from kmcp_runtime.kube import pages
from kmcp_runtime.looks import Looked
from kmcp_runtime.worker import run_in_thread

_PAGE = 1_000
_MOST_GROUPS = 3
_ELSEWHERE = 5
_ALIKE = 0.6
Labels = Mapping[str, str]


@dataclass
class _Group:
    """Pods whose labels differ from the selector in the same way."""

    differences: Sequence[str]
    likeness: float
    names: list[str]

    def __str__(self) -> str:
        count = f"{len(self.names)} pods like {self.names[0]}" if len(self.names) > 1 else f"pod {self.names[0]}"
        return f"{count}: {', '.join(self.differences)}"


async def explain_no_match(kube: Kube, namespace: str, wanted: Labels) -> str:
    """The nearest pods of the namespace, and other namespaces that have pods that match, as far as one may look."""
    kind = await kube.discovery.resolve("pods")
    try:
        pods = await pages.look(kube.api, pages.Query(kind, namespace, limit=_PAGE, form="names"))
    except ToolFailure as failure:
        return f"the pods that are there could not be read: {failure.message}"
    selector = ",".join(f"{key}={value}" for key, value in wanted.items())
    elsewhere: Looked[Any] = Looked()
    try:
        query = pages.Query(kind, None, selector, limit=_ELSEWHERE, form="names")
        elsewhere = await pages.fetch_all(kube.api, query, _ELSEWHERE)
    except ToolFailure:  # This identity may not look in other namespaces, which says nothing about this one.
        pass
    return await run_in_thread(in_words, wanted, pods, sorted({str(pod["metadata"]["namespace"]) for pod in elsewhere}))


def in_words(wanted: Labels, pods: Sequence[Any], elsewhere: Sequence[str] = ()) -> str:
    """`nearest: 2 pods like web-1: app is webb, not web; pod api: no label app`."""
    found = "; ".join(map(str, _groups(wanted, pods)[:_MOST_GROUPS]))
    near = f"nearest: {found}" if found else "the namespace has no pods"
    return f"{near}; pods in namespace {quoted_list(elsewhere)} match it" if elsewhere else near


def _groups(wanted: Labels, pods: Sequence[Any]) -> list[_Group]:
    """Pods that differ alike, the nearest first."""
    groups: dict[tuple[str, ...], _Group] = {}
    for pod in pods:
        labels: Labels = pod["metadata"].get("labels") or {}
        differences = tuple(
            _difference(key, value, labels) for key, value in wanted.items() if labels.get(key) != value
        )
        likeness = sum(_likeness(key, value, labels) for key, value in wanted.items())
        groups.setdefault(differences, _Group(differences, likeness, [])).names.append(str(pod["metadata"]["name"]))
    return sorted(groups.values(), key=lambda group: -group.likeness)


def _likeness(key: str, value: str, labels: Labels) -> float:
    """1 for the label itself, less for another value, and less than that for another key."""
    if key in labels:
        return 1.0 if labels[key] == value else 0.5 + _alike(value, labels[key]) / 4
    near = _near_key(key, value, labels)
    return 0.0 if near is None else 0.4 if labels[near] == value else 0.2


def _difference(key: str, value: str, labels: Labels) -> str:
    if key in labels:
        return f"{key} is {labels[key] or 'empty'}, not {value or 'empty'}"
    near = _near_key(key, value, labels)
    return f"no label {key}" + ("" if near is None else f" but {near}={labels[near]}")


def _near_key(key: str, value: str, labels: Labels) -> str | None:
    """A key of another spelling or prefix (`App`, `app.kubernetes.io/name`), or one that has the value."""
    near = max(labels, key=lambda each: (labels[each] == value, _alike(key, each)), default=None)
    return near if near is not None and (labels[near] == value or _alike(key, near) >= _ALIKE) else None


@lru_cache(maxsize=4_096)
def _alike(one: str, other: str) -> float:
    return SequenceMatcher(None, one.lower(), other.lower(), autojunk=False).ratio()
