"""Alerting: rules, contact points, notification policies and mute timings; what fires now, and silences.

Which of these functions are actions, and of which tool, is declared in `tools`.
"""
