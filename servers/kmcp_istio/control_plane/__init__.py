"""istiod: its pods and debug interface, its version, what it has sent to proxies, and what a proxy lacks of that.

What a proxy says of itself does not belong here: that is in `envoy` and `ambient`. Nor does installing istiod
(`installers`).
"""
