"""Faults of the mesh's configuration: found by istioctl where it is, else by checks of our own for the most frequent.

Our checks answer as istioctl does: the same codes, levels, origins and messages for the same faults.
"""
