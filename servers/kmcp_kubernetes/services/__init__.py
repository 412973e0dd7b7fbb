"""Whether a Service answers: which one is meant, its endpoints, and the pod that tries to connect.

What a description shows of Services and Ingresses is in `description.network`.
"""
