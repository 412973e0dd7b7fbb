"""How an MCPServer becomes pods: one pass over one MCPServer. `reconciler` is the pass; its steps are, in this order:

1. `acceptance`: the manifest becomes a model, or is refused with all its faults.
2. `secret_references`, `surroundings`: what its pods read, and what rendering needs to know of the cluster.
3. (`render`: the objects as they are to be.)
4. `limits`: whether this server's pods may roll now.
5. `apply`: each object is created, adopted (`ownership`), repaired (`difference`), refused or left as it is.
6. `observation`: how the Deployment gets on (`rollout`), and whether the backend answers (`backend`).
7. `listener`: what discovery knows of the tools.
8. `status_writer`: the conditions are written. `requeue`: when to look again.

Here: decisions about objects of the cluster. Not here: what the objects contain (`render`), how the status is worded
(`status`), when a pass runs (`cluster.queue`) and how requests are sent (`cluster.client`).
"""
