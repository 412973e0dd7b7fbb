"""`kmcp-suite connect`: a client's configuration that starts as it is printed, tested by a handshake.

Here: what a client needs of this machine (`programs`), where its file is and how it is changed without losing what
others wrote there (`files`, `jsonc`), the handshake, the command. Not here: how each client writes a server
(`kmcp_runtime.catalog.exports`).
"""
