"""Who keeps an alerting resource: nobody, the API, or provisioning files that would undo a change."""

from kmcp_grafana.client.failures import refuse_managed_by
from kmcp_grafana.client.grafana import Grafana, Row


def headers(grafana: Grafana, kept: str | None) -> dict[str, str]:
    """The header that leaves what is made editable; what came from the API before stays the API's."""
    if kept or not grafana.settings.grafana_disable_provenance:
        return {}
    return {"X-Disable-Provenance": "true"}


def changeable(kind: str, name: str, found: Row) -> str | None:
    """The provenance that a thing has; `forbidden` when it is not the API's to change."""
    kept = found.get("provenance") or None
    if kept not in (None, "api", "none"):
        raise refuse_managed_by(kind, name, {"file": "provisioning files"}.get(str(kept), str(kept)))
    return None if kept == "none" else kept
