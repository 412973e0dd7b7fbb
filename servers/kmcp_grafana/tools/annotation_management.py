"""Annotations."""

from kmcp_grafana.actions.table import Action, action_tool
from kmcp_grafana.dashboards import annotations
from kmcp_runtime import Effect

grafana_annotation_management = action_tool(
    __name__,
    "Read and make marks on graphs: deployments, incidents, state changes of alerts.",
    Action("get", Effect.READ, annotations.get_annotations),
    Action("create", Effect.WRITE, annotations.create_annotation, annotations.NEW),
    Action("update", Effect.WRITE, annotations.update_annotation, annotations.CHANGED),
    Action("delete", Effect.DESTROY, annotations.delete_annotation),
    find="get",
)
