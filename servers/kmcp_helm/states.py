"""Which state a release must be in before it is upgraded or rolled back, and what to do about other states."""

from dataclasses import dataclass
from datetime import UTC, datetime

from kmcp_runtime import ToolFailure, conflict, not_found
from kmcp_runtime.helm import payload
from kmcp_runtime.helm.release import Release
from kmcp_runtime.helm.releases import PENDING, Head, Releases
from kmcp_runtime.kube.failures import BACKEND

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


async def check_before_upgrade(releases: Releases, namespace: str, name: str, install: bool) -> Release | None:
    """The revision that an upgrade starts from; None when the release is new.

    Errors: `not_found` without `install`, `conflict` while another operation is in progress or seems to be.
    """
    try:
        heads = await releases.list_revisions(namespace, name)
    except ToolFailure as failure:
        if failure.code != "not_found":
            raise
        if install:
            return None
        raise not_found(failure.message, f"install=true installs it; {failure.hint}", backend=failure.backend) from None
    if heads[0].status in PENDING:
        raise _under_way(heads)
    return await _read_deployed(releases, heads)


@dataclass(frozen=True)
class Rollback:
    """The latest revision, the one to go back to, and warnings about it."""

    now: Release
    target: Release
    warnings: tuple[str, ...]


async def plan_rollback(releases: Releases, namespace: str, name: str, revision: int) -> Rollback:
    """Both ends of a rollback; revision 0 is the one before the latest. `not_found` when it is not stored."""
    heads = await releases.list_revisions(namespace, name)
    # As `helm rollback` without a revision: by number, whether or not that one worked.
    wanted = revision or heads[0].revision - 1
    target = next((head for head in heads if head.revision == wanted), None)
    if target is None:
        kept = ", ".join(str(head.revision) for head in heads)
        raise not_found(
            f"release {name} has no revision {wanted} to go back to", f"stored revisions: {kept}", backend=BACKEND
        )
    # Helm rolls back to a failed revision without a word.
    doubt = target.status not in ("superseded", "deployed", "uninstalled")
    warning = f"revision {target.revision} is {target.status}: helm_history shows which ones worked"
    return Rollback(
        await releases.read_or_fail(heads[0]), await releases.read_or_fail(target), (warning,) if doubt else ()
    )


async def _read_deployed(releases: Releases, heads: list[Head]) -> Release | None:
    try:
        return await releases.read_deployed(heads)
    except payload.Undecodable:  # The upgrade goes on without a diff: Helm reports what it cannot read itself.
        return None


def way_out(head: Head) -> str | None:
    """What to do about the latest revision of a release when no operation ended its state; None when one did."""
    if head.status == "uninstalling":
        return f"for {_age(head.created)}: if nothing removes it any more, helm_uninstall ends it"
    if head.status not in PENDING:
        return None
    # Nothing was deployed before the first revision.
    step = "helm_uninstall removes it" if head.status == "pending-install" else "helm_rollback frees it"
    return f"for {_age(head.created)}: if no operation is running any more, {step}"


def _under_way(heads: list[Head]) -> ToolFailure:
    latest = heads[0]
    # A rollback does not ask for a pending state, so it is the way out of one; without a good revision there is none.
    good = next((head.revision for head in heads if head.status in ("deployed", "superseded")), None)
    way_out = (
        f"helm_rollback revision={good} frees it"
        if good is not None
        else "helm_uninstall removes it and what it installed"
    )
    return conflict(
        f"release {latest.name} is {latest.status} (revision {latest.revision}, for {_age(latest.created)}): another "
        "operation is in progress, or one was interrupted",
        f"wait and check helm_history; if no operation is running any more, {way_out}",
        backend=BACKEND,
    )


def _age(created: str) -> str:
    try:
        seconds = int((datetime.now(UTC) - datetime.fromisoformat(created)).total_seconds())
    except ValueError:
        return "an unknown time"
    for unit, word in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= unit:
            return f"{seconds // unit} {word}"
    return f"{max(seconds, 0)} s"
