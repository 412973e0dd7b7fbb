"""The suite's own runbooks."""

from kmcp_runtime.runbooks.reading import Runbook, runbooks_of
from tests.own_servers import OWN

RUNBOOKS: dict[str, Runbook] = {runbook.name: runbook for runbook in runbooks_of(OWN.values())}
