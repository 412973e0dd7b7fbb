"""grafana-client, which other people made for the real Grafana, in an environment of its own.

One of its dependencies overwrites urllib3 at every start of the interpreter, so it never comes into ours.
"""
