"""Tasks of an operator on real backends, and how many calls and tokens they take; `make evals`.

A task is one document in `tasks/`. Does not belong here: how a tool behaves in detail (`tests/`), speed (`bench/`).
"""
