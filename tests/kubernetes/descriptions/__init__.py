"""What `kubectl describe` shows of each kind, beside what `k8s_describe_resource` answers."""
