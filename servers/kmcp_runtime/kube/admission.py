"""What refuses a request although its sender has the right: admission control, known by the words of its messages."""

import re

# How a lack of rights is said (apiserver: `responsewriters/errors.go`; RBAC escalation; owner references).
_RIGHTS = (
    r" cannot [\w*]+ (?:resource|path) \"|attempting to grant RBAC permissions|not permitted to|"
    r"cannot set blockOwnerDeletion|must have cluster-admin privileges"
)
_REFUSED_BY = (
    # The first that fits: a webhook's own words may be like any of the others.
    (
        r'admission webhook "[^"]*" denied the request',
        "an admission webhook refused it: correct what it names",
    ),
    (
        r'failed calling webhook "[^"]*"',
        "an admission webhook did not answer, so nothing that it watches can be written: is its Service running?",
    ),
    (
        r'admission webhook "[^"]*" does not support dry run',
        "an admission webhook takes no dry runs: only the real request can show what happens",
    ),
    (_RIGHTS, None),
    (
        r"ValidatingAdmissionPolicy '|policy '[^']*' (?:with binding '[^']*' )?denied request",
        "an admission policy refused it: correct what its message names",
    ),
    (
        r"exceeded quota: ",
        "a ResourceQuota of the namespace is used up: free some of it, ask for less, or raise the quota",
    ),
    (
        r"failed quota: .* must specify|insufficient quota to (?:consume|match)",
        "a ResourceQuota of the namespace demands these fields: set requests and limits of each container",
    ),
    (r"status unknown for quota: ", "a ResourceQuota of the namespace is not counted yet: try again"),
    (
        r"(?:minimum|maximum) \S+ usage per |max limit to request ratio per ",
        "a LimitRange of the namespace refuses these requests or limits: keep to what the message names",
    ),
    (
        r'violates PodSecurity "',
        "the namespace's Pod Security level refuses this pod: correct the fields that are named",
    ),
    (
        r"because it is being terminated",
        "the namespace is being deleted: use another, or wait until it is gone",
    ),
    (
        r"error looking up service account ",
        "the pod's ServiceAccount does not exist in its namespace: create it, or name another",
    ),
    (r"not yet ready to handle request", "the API server is still starting: try again"),
)
_KNOWN = [(re.compile(words), hint) for words, hint in _REFUSED_BY]
_LONGEST = 4_096
_OTHER = "admission control refused it, rights are not what it lacks: correct what the message names"


def hint(http_status: int, message: str) -> str | None:
    """What refused the request and what to do; None where it was something else, missing rights among them."""
    said = message[:_LONGEST]
    for words, meaning in _KNOWN:
        if words.search(said):
            return meaning
    # An admission plugin of its own answers 403 in its own words, behind those of every Forbidden.
    return _OTHER if http_status == 403 and " is forbidden: " in said else None
