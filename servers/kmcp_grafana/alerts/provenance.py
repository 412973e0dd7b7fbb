"""What an alerting resource was made by: Grafana's pages, the API, or provisioning files that would undo a change."""

from kmcp_grafana.client.failures import refuse_managed_by
from kmcp_grafana.client.grafana import Grafana, Row


def headers(grafana: Grafana, kept: str | None) -> dict[str, str]:
    """The header that keeps a resource editable in Grafana's pages, unless the API already owns it (`kept`)."""
    # Grafana refuses a change from the provenance `api` to none, so the header must not be sent then.
    if kept or not grafana.settings.grafana_disable_provenance:
        return {}
    return {"X-Disable-Provenance": "true"}


def changeable(kind: str, name: str, found: Row) -> str | None:
    """The provenance of a resource; `forbidden` when the API may not change it."""
    kept = found.get("provenance") or None
    if kept not in (None, "api", "none"):
        raise refuse_managed_by(kind, name, {"file": "provisioning files"}.get(str(kept), str(kept)))
    return None if kept == "none" else kept
