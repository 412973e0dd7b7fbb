"""What Grafana refuses wherever it comes from: uids that are none, and folders within themselves."""

import re

from tests.grafana.standin.state import Organisation, Refusal

_UID = re.compile(r"[a-zA-Z0-9_-]*")
_LONGEST_UID = 40


def refuse_uid(uid: str, noun: str) -> None:
    """Grafana's rule for uids that people choose."""
    if not _UID.fullmatch(uid):
        raise Refusal(400, f"{noun} uid contains illegal characters", status="invalid-uid")
    if len(uid) > _LONGEST_UID:
        raise Refusal(400, f"{noun} uid too long, max {_LONGEST_UID} characters", status="uid-too-long")


def refuse_circle(organisation: Organisation, uid: str, parent: str) -> None:
    """A folder cannot be put into itself, nor into what is below it."""
    above = parent
    while above:
        if above == uid:
            raise Refusal(400, "Circular reference detected", messageId="folder.circular-reference")
        above = organisation.folders[above].parent
