"""Labels with their source, as Cilium writes them: `k8s:app=web`."""

from collections.abc import Iterable


def matching(labels: Iterable[str], wanted: Iterable[str]) -> bool:
    """Whether every wanted label is there; one without a source (`app=web`) means any source."""
    there = set(labels)
    there |= {label.partition(":")[2] for label in there}
    return all(label in there for label in wanted)
