"""The tools, a file for each; what their actions do is in the tables of the modules beside this package.

`STAND_IN` is why the catalog says of all of them that no real Grafana was met.
"""

STAND_IN = (
    "tests run against a server that checks each request against Grafana's published API; "
    "a real Grafana needs a container engine"
)
