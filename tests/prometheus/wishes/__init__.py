"""Wishes in words over three realistic sets of metrics, and a real Prometheus that judges what is built for them."""
