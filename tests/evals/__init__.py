"""The tasks of `make evals` are sound, and some of them are done on the real cluster."""
