"""Servers and clients under test whose deadlines are those of a quiet machine, scaled to this one."""

from typing import Any

from kmcp_runtime import RuntimeSettings
from kmcp_runtime.kube.api import Limits
from tests.slowness import scaled


def patient(**settings: Any) -> RuntimeSettings:
    """Settings of a server whose calls have as long as they need here."""
    return RuntimeSettings(**{"timeout": scaled(30), **settings})


def limits() -> Limits:
    """Of a client of the API server."""
    return Limits(request=scaled(30), connect=scaled(10))
