"""From what was observed to the conditions of an MCPServer. Pure: no I/O, and the time comes in as text.

Here: the wording of all six conditions. Not here: how something is observed (`reconcile`, `discovery`, `local`).
"""

from .conditions import (
    Condition,
    Discovery,
    Listing,
    Observed,
    Rollout,
    Status,
    conditions,
    merge,
    refused_remote,
    remote_conditions,
    unready,
)

__all__ = [
    "Condition",
    "Discovery",
    "Listing",
    "Observed",
    "Rollout",
    "Status",
    "conditions",
    "merge",
    "refused_remote",
    "remote_conditions",
    "unready",
]
