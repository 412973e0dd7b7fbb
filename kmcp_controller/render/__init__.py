"""From an accepted spec to the objects that run it. Pure: the same input gives the same objects.

Here: every object that the controller owns; a Deployment in `objects` (the pod in `pod`). Not here: what depends on
the cluster, which comes in as `Surroundings`.
"""

from .objects import Surroundings, pod, render

__all__ = ["Surroundings", "pod", "render"]
