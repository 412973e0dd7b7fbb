"""How Grafana is spoken to: the client of a call, the newer API with its objects, what refusals mean.

Nothing here knows an action or a tool.
"""
