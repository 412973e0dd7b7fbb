"""The server `clock`: what time it is, in any zone, also relative to now."""
