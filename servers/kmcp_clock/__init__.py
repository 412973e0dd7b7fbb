"""The server `clock`: what time it is, in any zone, also relative to now.

Belongs here: this machine's clock and the IANA zones. Does not: schedules, or durations as arguments (`kmcp_runtime`).
"""
