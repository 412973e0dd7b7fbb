"""PromQL: read, written, explained and built here, for backends that do not do it themselves and to guard queries.

Expressions are held in the shape of Prometheus' `/parse_query`, so that what reads them need not know who parsed them.
"""
