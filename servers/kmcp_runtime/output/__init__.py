"""From a tool's typed result to what a client gets: redacted (`redact`), bounded (`bound`), rendered (`render`)."""
