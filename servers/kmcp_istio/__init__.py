"""The Istio server: the mesh as istiod, Envoy, ztunnel and the API server show it.

`control_plane` asks istiod, `envoy` reads an Envoy's admin interface, `ambient` waypoints and ztunnel, `analysis` finds
configuration faults, `installers` install Istio; `tools` declares the tools. Traffic metrics do not belong here: the
Prometheus server queries those.
"""
