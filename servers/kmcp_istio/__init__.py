"""The Istio server: the mesh as istiod, Envoy, ztunnel and the API server tell of it."""
