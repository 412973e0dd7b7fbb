"""Agents: their pods, their command line run in their container, its failures, and answers gathered from many nodes.

Here belongs how an agent is asked. What its answers mean is in `state` and `policy`; which agent a call means is
decided in `client`.
"""
