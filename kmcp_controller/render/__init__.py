"""From an accepted spec to the objects that run it. Pure: the same input gives the same objects."""

from .objects import Surroundings, pod, render

__all__ = ["Surroundings", "pod", "render"]
