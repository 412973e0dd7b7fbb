"""Rights that several tools declare."""

from kmcp_runtime import Home, Rule

PODS = Rule("", ("pods",), ("get", "list"))
FORWARD = Rule("", ("pods/portforward",), ("get", "create"))
WORKLOADS = Rule("apps", ("deployments", "statefulsets", "daemonsets"), ("get",))
HOME = Home(
    setting="ISTIO_NAMESPACE",
    namespace="istio-system",
    only=(("rbac.authorization.k8s.io", "roles"), ("*", "*")),
)
"""The charts of the control plane are installed there; what is analysed is anywhere."""
