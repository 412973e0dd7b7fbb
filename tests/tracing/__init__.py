"""Traces of calls, as a collector sees them."""
