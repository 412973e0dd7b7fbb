"""The documentation server: search in an embedded index, without a network, a key or a model.

Belongs here: reading documentation from its sources (`sources`), turning it into chunks (`parsing`), the index file
(`index`, `building`), search (`search`), and the tools that ask it. Does not belong here: what any one product's
documentation says; the bridge to other servers; anything that needs a model or a service at search time.
"""
