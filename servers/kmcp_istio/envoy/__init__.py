"""What an Envoy reports on its admin interface, as rows to read and filter; named and shown as istioctl shows them.

`fields` reads Envoy's JSON, `dump` its config dump; every other module makes rows of one kind of object. Asking Envoy
does not belong here: that is in `pods`.
"""
