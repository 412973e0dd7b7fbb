"""The controller as one process in a cluster, until a signal.

Here: its settings, how watches lead to passes, who leads, and what it serves about itself (health, metrics). Not here:
what a pass does (`reconcile`) and what the catalog shows (`catalog`).
"""
