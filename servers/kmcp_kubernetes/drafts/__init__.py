"""First drafts of manifests: the facts of a sentence, put into an example or into what the schema requires.

Nothing here talks to a cluster; the schema comes in from `openapi`.
"""
