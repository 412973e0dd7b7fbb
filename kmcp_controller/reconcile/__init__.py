"""How an MCPServer becomes pods. One pass over one MCPServer, in the order of `reconciler.Reconciler._pass`.

Here: decisions about objects of the cluster. Not here: what the objects contain (`render`), how the status is worded
(`status`), when a pass runs (`cluster.queue`) and where requests go (`cluster.client`).
"""
