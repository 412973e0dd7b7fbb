"""Who uses Grafana: organisations, teams, users and their preferences; and whether Grafana is well.

Which of these functions are actions, and of which tool, is declared in `tools`. Permissions of dashboards
are in `dashboards`.
"""
