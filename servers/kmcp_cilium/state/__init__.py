"""What agents report, in the shapes that tools return: endpoints, load balancer, flows, Envoy, BGP, status, labels.

Each module reads one kind of answer. How agents are asked is in `agents`; network policies are in `policy`.
"""
