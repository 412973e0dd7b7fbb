"""What Grafana promises of its answers, as far as the actions read them; asked only when reading one has failed."""

import re
from typing import Any

from kmcp_runtime.answers import Check, Fields, lacks, misshapen

_FIELDS = Fields(
    objects="dashboard meta metadata spec jsonData buildInfo results schema preferredVersion secureJsonFields",
    lists="items users teams orgs rules groups panels frames fields routes parents resources",
    texts="uid name title login email message url role kind created updated folderUid",
    numbers="id orgId userId teamId totalCount memberCount",
)
_LISTS = re.compile(
    r"/(?:search|datasources|annotations|users|orgs|teams|playlists|items|snapshots|permissions|members|alert-rules|folders"
    r"|contact-points|mute-timings|silences|alerts|receivers)$"
)
_PAGES = re.compile(r"/(?:teams|users)/search$|/apis/")
_EITHER = re.compile(r"/versions$|/tags$")
"""Paths whose answer changed from a list to an object between versions."""


def check_of(path: str) -> Check:
    """What an answer to this path breaks."""

    def check(answer: Any, error: Exception) -> str | None:
        listed = bool(_LISTS.search(path)) and not _PAGES.search(path)
        if not _EITHER.search(path) and not isinstance(answer, list if listed else dict):
            return f"it is not {'a list' if listed else 'an object'}"
        return misshapen(answer, _FIELDS) or lacks(answer, error)

    return check
