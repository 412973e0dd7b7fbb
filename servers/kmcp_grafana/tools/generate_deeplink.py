"""Links to Grafana's pages."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from kmcp_grafana.actions.table import STAND_IN
from kmcp_grafana.client.grafana import Grafana
from kmcp_grafana.dashboards import links
from kmcp_grafana.dashboards.links import LinkTime, Variables
from kmcp_runtime import Effect, Result, bad_argument, check_name, tool


class Link(Result):
    """An address."""

    url: str


@tool(Effect.READ, extra=True, verified="stand-in", why=STAND_IN)
async def grafana_generate_deeplink(
    grafana: Grafana,
    target: Annotated[Literal["dashboard", "panel", "explore"], "Page"],
    uid: Annotated[str | None, AfterValidator(check_name), "uid"] = None,
    panel_id: Annotated[int | None, "Panel", Field(ge=0)] = None,
    datasource: Annotated[str | None, "Data source uid, for explore"] = None,
    query: Annotated[str | None, "Query, for explore"] = None,
    start: Annotated[LinkTime, "From, e.g. now-1h, now/d"] = None,
    end: Annotated[LinkTime, "Until"] = None,
    variables: Annotated[Variables | None, "Dashboard variables"] = None,
) -> Link:
    """Make a link to a dashboard, a panel or Explore, to hand to a person; sends no request."""
    needed: dict[str, dict[str, object]] = {
        "dashboard": {"uid": uid},
        "panel": {"uid": uid, "panel_id": panel_id},
        "explore": {"datasource": datasource},
    }
    missing = [name for name, value in needed[target].items() if value is None]
    if missing:
        raise bad_argument(
            f"target={target} needs {', '.join(missing)}", "a panel needs uid and panel_id, Explore needs datasource"
        )
    if target == "explore":
        return Link(url=links.explore(grafana, datasource or "", query, start, end))
    return Link(url=links.dashboard(grafana, uid or "", panel_id, start, end, variables or {}))
