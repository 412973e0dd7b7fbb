"""The Kubernetes cluster that tests run against: one that is given, k3s in a container engine, or our own build."""
