"""kagent's own agents on this suite: what they name, whether it is there, and what they may call."""
