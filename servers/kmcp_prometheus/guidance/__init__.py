"""Help for callers: near names, why an answer is empty or too large, checked and suggested expressions.

Belongs here: what asks the backend in order to advise. Does not: the language itself (`promql`), which needs none.
"""
