"""A server of kmcp-suite in a distribution of its own."""
