"""The documentation server: search in an embedded index, without a network, a key or a model."""
