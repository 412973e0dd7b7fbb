"""What an Envoy tells of itself on its admin interface, as rows that can be read and filtered.

`fields` reads Envoy's JSON, `dump` its config dump; every other module makes rows of one kind of object.
"""
