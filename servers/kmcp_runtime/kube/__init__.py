"""The door to the Kubernetes API: credentials of the official client, requests of our own over aiohttp.

`config` finds contexts and credentials, `api` sends one request and maps what comes back, `discovery` knows the kinds,
`objects` reads and changes them, `pages` lists them, `execution` runs commands in pods, `portforward` speaks HTTP to
their ports, `manifests` reads YAML.
Import these modules lazily, when a backend is opened: the official package takes most of a second.
"""
