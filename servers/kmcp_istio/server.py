"""The server object behind the entry point `istio`, and its script."""

import sys

from kmcp_runtime import Home, Server

INSTRUCTIONS = (
    "Istio. istio_proxy_status shows which proxies lag behind istiod; istio_proxy_config what one Envoy really has "
    "(summary first, then name, port or fqdn with output=json), istio_ztunnel_config the same for ambient; "
    "istio_analyze_cluster_configuration finds faults of the configuration. Changes take dry_run=true."
)

HOME = Home(
    setting="ISTIO_NAMESPACE",
    namespace="istio-system",
    only=(("rbac.authorization.k8s.io", "roles"), ("*", "*")),
)
"""The charts of the control plane are installed there; what is analysed is anywhere."""


SERVER = Server(
    package=__package__,
    name="istio",
    title="Istio",
    description="See and change an Istio mesh: proxies and their configuration, waypoints, faults, installation.",
    instructions=INSTRUCTIONS,
    port=8086,
    settings_at="kmcp_istio.settings:IstioSettings",
    first=("istio_proxy_status",),
    category="networking",
    tags=("istio", "service-mesh", "envoy", "ambient"),
    home=HOME,
)


if __name__ == "__main__":
    sys.exit(SERVER.main())
