"""The Grafana server: nine tools with 91 actions and three extras over Grafana's HTTP API."""
