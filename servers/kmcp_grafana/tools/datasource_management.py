"""Data sources."""

from kmcp_grafana.actions.table import Action, action_tool
from kmcp_grafana.datasources import sources
from kmcp_runtime import Effect

grafana_datasource_management = action_tool(
    __name__,
    "Manage and test data sources, or query one in its plugin's own fields; grafana_query is for PromQL and LogQL.",
    Action("list", Effect.READ, sources.list_sources),
    Action("get", Effect.READ, sources.get_source),
    Action("get_by_name", Effect.READ, sources.get_source_by_name),
    Action("create", Effect.WRITE, sources.create_source, sources.NEW),
    Action("update", Effect.WRITE, sources.update_source, sources.CHANGED),
    Action("delete", Effect.DESTROY, sources.delete_source),
    Action("test", Effect.READ, sources.test_source),
    Action("query", Effect.READ, sources.query_source, sources.QUERY),
    find="list",
)
