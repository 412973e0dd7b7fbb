"""The Kubernetes server: tools over the API server, without kubectl."""
