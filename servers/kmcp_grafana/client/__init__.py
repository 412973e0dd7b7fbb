"""How this server talks to Grafana: the client of a call, objects of the newer API, and what refusals mean.

Nothing here knows an action or a tool.
"""
