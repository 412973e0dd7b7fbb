"""The Grafana server: tools of several actions each, over Grafana's HTTP API.

    server → tools → packages by subject (dashboards, alerts, datasources, administration) → actions → client → settings

`tools` declares which actions there are; what an action does is in the package of its subject. Nothing here knows
Kubernetes, and no other server is imported."""
