"""Network policies: the objects in the cluster, the rules that agents make of them, and whether they are valid.

Selectors and labels, which flows and endpoints have too, are in `state.labels`.
"""
