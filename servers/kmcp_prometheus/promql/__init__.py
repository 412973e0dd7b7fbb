"""PromQL, the language: parsing, printing, explaining and filling in expressions. Nothing here asks a backend.

Expressions are held in the shape of Prometheus' `/parse_query`, so that what reads them need not know who parsed them.
"""
