"""Alert rules and where alerts are sent."""

from kmcp_grafana.actions.table import Action, action_tool
from kmcp_grafana.alerts import contact_points, mute_timings, notification_policies, rules
from kmcp_runtime import Effect

grafana_alert_management = action_tool(
    __name__,
    "Manage alert rules, contact points, policies and mute timings; grafana_alert_state shows what fires.",
    Action("get_rules", Effect.READ, rules.get_rules),
    Action("get_rule", Effect.READ, rules.get_rule),
    Action("create_rule", Effect.WRITE, rules.create_rule, rules.NEW_RULE),
    Action("update_rule", Effect.WRITE, rules.update_rule, rules.RULE),
    Action("delete_rule", Effect.DESTROY, rules.delete_rule),
    Action("get_rule_group", Effect.READ, rules.get_rule_group),
    Action("get_contact_points", Effect.READ, contact_points.get_contact_points),
    Action("create_contact_point", Effect.WRITE, contact_points.create_contact_point, contact_points.NEW),
    Action("update_contact_point", Effect.WRITE, contact_points.update_contact_point, contact_points.CHANGED),
    Action("delete_contact_point", Effect.DESTROY, contact_points.delete_contact_point),
    Action("get_notification_policies", Effect.READ, notification_policies.get_notification_policies),
    Action(
        "update_notification_policies",
        Effect.DESTROY,
        notification_policies.update_notification_policies,
        notification_policies.TREE,
    ),
    Action("get_mute_timings", Effect.READ, mute_timings.get_mute_timings),
    Action("get_mute_timing", Effect.READ, mute_timings.get_mute_timing),
    Action("create_mute_timing", Effect.WRITE, mute_timings.create_mute_timing, mute_timings.NEW),
    Action("delete_mute_timing", Effect.DESTROY, mute_timings.delete_mute_timing),
    find="get_rules",
)
