"""The audit: what its lines say, where they go, and that a change of them is found."""
