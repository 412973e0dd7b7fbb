"""The Argo Rollouts server: rollouts and experiments through the API alone, shown as the kubectl plugin shows them.

`rollouts` reads objects and builds patches, `installation` is about the controller, `tools` declares the tools. Other
kinds of workload do not belong here: the Kubernetes server has tools for Deployments.
"""
