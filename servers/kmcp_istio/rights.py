"""Rights that several tools declare."""

from kmcp_runtime import Rule

PODS = Rule("", ("pods",), ("get", "list"))
FORWARD = Rule("", ("pods/portforward",), ("get", "create"))
WORKLOADS = Rule("apps", ("deployments", "statefulsets", "daemonsets"), ("get",))
