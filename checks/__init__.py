"""The rules of the house that no public linter knows, run by `make check`.

What belongs here: what can be seen by reading the tree (sizes, names, who imports whom, what is declared where).
What does not: behaviour (tests), formatting and typing (ruff and mypy). Nothing here is shipped.
"""
