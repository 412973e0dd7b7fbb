"""Dashboards."""

from kmcp_grafana.actions.table import Action, action_tool
from kmcp_grafana.dashboards import editing, permissions, versions
from kmcp_runtime import Effect

grafana_dashboard_management = action_tool(
    __name__,
    "Find, read and change dashboards. get answers an outline; change parts with JSON patch operations.",
    Action("search", Effect.READ, editing.search_dashboards),
    Action("get", Effect.READ, editing.get_dashboard),
    Action("create", Effect.WRITE, editing.create_dashboard, editing.NEW),
    Action("update", Effect.WRITE, editing.update_dashboard, editing.CHANGED),
    Action("delete", Effect.DESTROY, editing.delete_dashboard),
    Action("get_versions", Effect.READ, versions.get_versions),
    Action("get_version", Effect.READ, versions.get_version),
    Action("restore_version", Effect.WRITE, versions.restore_version),
    Action("get_permissions", Effect.READ, editing.get_permissions),
    Action("update_permissions", Effect.DESTROY, editing.update_permissions, permissions.SPEC),
    Action("calculate_diff", Effect.READ, versions.calculate_diff, versions.OTHER),
    find="search",
)
