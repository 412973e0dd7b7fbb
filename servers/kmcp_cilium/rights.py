"""Rights that several tools declare."""

from kmcp_runtime import Rule

AGENTS = (Rule("", ("pods",), ("list",)), Rule("", ("pods/exec",), ("get", "create")))
"""To find agents and run their command line."""
# Apart from AGENTS: only tools that take namespace/pod look at a pod itself.
PODS = Rule("", ("pods",), ("get",))
"""To find the node of `namespace/pod`."""
POLICIES = Rule("cilium.io", ("ciliumnetworkpolicies", "ciliumclusterwidenetworkpolicies"), ("list",))
CHART_OBJECTS = Rule("*", ("*",), ("get", "list", "watch", "create", "update", "patch", "delete"))
"""A chart may contain objects of any kind."""
ROLES = Rule("rbac.authorization.k8s.io", ("clusterroles", "roles"), ("escalate", "bind"))
"""To create the chart's roles, whose rights this server need not have itself."""
RELEASE = (CHART_OBJECTS, ROLES)
"""To change a release of the chart."""
