"""Folders."""

from kmcp_grafana.actions.table import Action, action_tool
from kmcp_grafana.dashboards import folders, permissions
from kmcp_runtime import Effect

grafana_folder_management = action_tool(
    __name__,
    "Manage the folders that hold dashboards and alert rules; a deleted folder takes along what is in it.",
    Action("list", Effect.READ, folders.list_folders),
    Action("get", Effect.READ, folders.get_folder),
    Action("create", Effect.WRITE, folders.create_folder, folders.NEW),
    Action("update", Effect.WRITE, folders.update_folder, folders.CHANGED),
    Action("delete", Effect.DESTROY, folders.delete_folder),
    Action("get_permissions", Effect.READ, folders.get_permissions),
    Action("update_permissions", Effect.DESTROY, folders.update_permissions, permissions.SPEC),
    find="list",
)
