"""Our own checks, run together."""

from collections.abc import Callable, Iterator, Sequence

from kmcp_istio.analysis import injection, routing
from kmcp_istio.analysis.findings import Finding, Origin, suppressed
from kmcp_istio.analysis.snapshot import Snapshot, identity

CODES = ("IST0101", "IST0102", "IST0103", "IST0109", "IST0118", "IST0132", "IST0162")
"""What our checks can find; `istioctl analyze` has many more."""
_CHECKS: Sequence[Callable[[Snapshot], Iterator[tuple[Origin, Finding]]]] = (routing.check, injection.check)
_SUPPRESS = "galley.istio.io/analyze-suppress"


def run_checks(snapshot: Snapshot, namespace: str | None, suppressions: Sequence[str]) -> list[Finding]:
    """The faults of one namespace or of all; objects may refer to any namespace, so the snapshot has them all."""
    accepted = _accepted(snapshot)
    return [
        finding
        for check in _CHECKS
        for origin, finding in check(snapshot)
        # In the order of istioctl: namespace, annotation, argument (analysis/local/istiod_analyze.go, filterMessages).
        if namespace in (None, origin.home)
        and not {finding.code, "*"} & accepted.get(origin, set())
        and not suppressed(origin, finding, suppressions)
    ]


def _accepted(snapshot: Snapshot) -> dict[Origin, set[str]]:
    """The codes that each object accepts in its own annotation."""
    return {
        # One annotation holds several codes with commas between them, and * accepts every code.
        Origin(kind, *identity(each)): {code.strip() for code in codes.split(",")}
        for plural, kind in snapshot.kinds
        for each in snapshot.of(plural)
        if (codes := (each["metadata"].get("annotations") or {}).get(_SUPPRESS))
    }
