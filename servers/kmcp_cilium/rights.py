"""Rights that the tools declare, in common words."""

from kmcp_runtime import Rule

AGENTS = (Rule("", ("pods",), ("list",)), Rule("", ("pods/exec",), ("get", "create")))
"""What finding agents and running their command line takes."""
PODS = Rule("", ("pods",), ("get",))
"""What finding the node of `namespace/pod` takes."""
POLICIES = Rule("cilium.io", ("ciliumnetworkpolicies", "ciliumclusterwidenetworkpolicies"), ("list",))
CHART_OBJECTS = Rule("*", ("*",), ("get", "list", "watch", "create", "update", "patch", "delete"))
"""A chart may hold objects of any kind."""
ROLES = Rule("rbac.authorization.k8s.io", ("clusterroles", "roles"), ("escalate", "bind"))
"""The chart's roles hold rights that this server need not have itself."""
RELEASE = (CHART_OBJECTS, ROLES)
"""What changing a release of the chart takes."""
