"""Secrets on their way out, replaced at this one place: known ones first, then by structure, then by shape.

    text(value)        a text, cleaned, with marks in place of secrets
    value(node)        the same for JSON-like data; the place of each value goes into its mark
    learn(value)       enter what is known to be secret: it is hidden wherever it comes back
    echoing(…)         show meanwhile what the caller of a call sent himself
    repeating()        the same of all that he sent, for an error, which repeats short excerpts
    restore(…)         what a caller sends back, with the live values in place of their marks
    refuse_exposure(…)  refuse a JSON patch that would show what is hidden of an object
    refuse_marks(node) refuse what holds a mark, where there is nothing live to put in its place

What belongs here: what a secret is and what stands in its place. What does not: who may see what (policy), and how an
answer is cut and rendered (`output`). The limit: a value that nothing marks as a secret (no known value, no name of a
credential beside it, no format) is shown.
"""

from kmcp_runtime.redaction.exposing import refuse_exposure
from kmcp_runtime.redaction.known import REGISTER
from kmcp_runtime.redaction.marks import HIDDEN, find_mark, fingerprint, is_mark, mark, use_key
from kmcp_runtime.redaction.names import strength
from kmcp_runtime.redaction.quiet import LAST_APPLIED
from kmcp_runtime.redaction.restoring import refuse_marks, restore, restore_operations
from kmcp_runtime.redaction.sent import echoing, repeating, withhold
from kmcp_runtime.redaction.structures import hide_in_document as text
from kmcp_runtime.redaction.structures import hide_in_value as value

learn = REGISTER.learn
learn_encoded = REGISTER.learn_encoded
keep = REGISTER.keep
holds_known = REGISTER.holds_any


def revision() -> int:
    """A number that is another one when more is known to be secret."""
    return REGISTER.revision


__all__ = [
    "HIDDEN",
    "LAST_APPLIED",
    "echoing",
    "find_mark",
    "fingerprint",
    "holds_known",
    "is_mark",
    "keep",
    "learn",
    "learn_encoded",
    "mark",
    "refuse_exposure",
    "refuse_marks",
    "repeating",
    "restore",
    "restore_operations",
    "revision",
    "strength",
    "text",
    "use_key",
    "value",
    "withhold",
]
