"""Traces: which one a request belongs to, the spans of its way, and where they are sent.

`contexts` knows the trace of the call under way and imports no library; `spans` makes spans once `export` has set the
OpenTelemetry SDK up. Does not belong here: metrics (`engine/telemetry.py`).
"""
